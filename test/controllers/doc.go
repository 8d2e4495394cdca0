// Package controllers holds tests and nothing else: controllers of tor, and what
// they must not notice, on a private network of real tor processes (package
// testnet).
//
// Part of it runs in `make test`. A client of TOPS works on a tor that others use
// too: its settings outlive RELOADs under a download (reload_test.go), nothing of
// it stays when it is killed (killed_test.go), and controllers that attach streams
// themselves keep their own (attachers_test.go).
//
// `make test-world` adds, under the build tag world, the programs that people have,
// from Debian's packages: nyx, onionshare-cli, txtorcon and stem, through `tops
// proxy`, with no access profile and with the one that TOPS ships for them
// (programs_test.go).
//
// stem_suite.py runs stem's own integration tests, directly and through the proxy,
// and compares; stem_results.txt is what came of it last. It needs a checkout of
// stem, whose path the environment variable STEM gives.
package controllers
