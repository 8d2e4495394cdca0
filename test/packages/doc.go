// Package packages holds the tests of what is published: the Debian package on a
// clean Debian root in which systemd runs, beside Debian's own tor, from before it is
// installed until after it is purged; its manual pages and completions, read by
// the programs that will read them. They need Docker and Debian's packages, so they
// have the build tag world and belong to `make test-world`.
//
// The root is a container without any network but a loopback of its own, and tor
// in it is told of no real authority.
// The nodes are the simulator's. Nothing is left at the end: no container, no image.
//
// TOPS_TEST_ROOT may name a root that was made before, to save time:
//
//	mmdebstrap --variant=minbase --include=… bookworm root.tar
package packages
