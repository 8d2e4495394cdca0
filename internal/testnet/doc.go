// Package testnet runs a private Tor network of real, unmodified tor
// processes on this machine: one directory authority, some relays and some
// clients. Tests and the demonstration use it; nothing else does.
//
// # A network of its own
//
// tor's production checks refuse much of what a laboratory would like:
// internal addresses, several relays on one address, exits to private
// networks. A laboratory that turns the checks off tests another program. So
// the whole process, with every goroutine and every child, lives in a Linux
// network namespace, whose only interface is a loopback that carries as many
// addresses as are wanted. Nothing in there can reach the outside, nor be
// reached from it.
//
//	func TestMain(m *testing.M) {
//		if err := testnet.Enter(); err != nil {
//			fmt.Fprintln(os.Stderr, err)
//			os.Exit(1)
//		}
//		os.Exit(m.Run())
//	}
//
// [Enter] makes the namespace and then executes the program again in it, in
// place: same process id, same arguments, same descriptors. It must therefore
// come first in main, before anything that should happen only once.
//
// The nodes have the addresses 198.18.0.1 (the authority) and 198.18.0.2 and
// on (relays). That range is special-use (RFC 2544), which tor does not mind
// and a gateway does: give a web server that is to be reached through a
// gateway a plainly public address by [AddAddress].
//
// # Starting and stopping
//
//	n, err := testnet.Start(ctx, testnet.Options{Clients: 1})
//	if err != nil { … }
//	defer n.Close()
//
// [Start] returns when every client is bootstrapped and knows every relay:
// about ten seconds, of which most is waiting for the first votes. A [Node]
// can be stopped, killed, restarted and reloaded, as an operator, or bad
// luck, would do it.
//
// A relay begins as a fresh one of Debian's does, with no exit
// (ExitRelay 0), and is changed from there through its control socket.
// The last Options.Exits relays are ordinary exits, to compare with.
//
// # No process is left
//
// Close kills the nodes. When the parent dies first, of whatever, SIGKILL
// included, the kernel kills them (PR_SET_PDEATHSIG). That signal follows the
// thread that forked, not the process, so each node has a goroutine that is
// locked to its thread, forks there and waits there.
package testnet
