// Package eltor holds tests and nothing else: the native carrier (package eltor of
// this module) on El Tor's fork of tor, as real processes in a private network
// (package testnet). It runs when it is asked for:
//
//	ELTOR_A=/path/to/tor ELTOR_B=/path/to/tor go test -tags eltor -v ./test/eltor
//
// ELTOR_A is a build of the fork whose relays cannot end a circuit, ELTOR_B one
// that knows TEARDOWNCIRCUIT. A dialect whose variable is not set is left out, and
// one line says so. The fork is not part of this repository, nor is how to build
// it. It needs root, as everything that uses package testnet does.
//
// A relay of the fork writes its event from a second thread, into buffers that the
// first writes too, and dies of that now and then, whoever listens. A test that
// can go on starts it again, and says how many died.
//
// wire_test.go holds the fork itself to what package eltor takes for granted of
// it, line by line: when it fails, the fork has changed. world_test.go has payer
// and payees, processes of tops with play money, on such a network.
package eltor
