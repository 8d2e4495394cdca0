// Package killtest proves by killing that nobody pays twice, that no money is
// lost on the way into the books, and that nobody is cut who paid. It holds tests
// only.
//
// # What runs
//
// The test binary starts itself again as two processes of their own, each put
// together of the same parts as tops: a payer (paystream.Payer, the ledger, the
// wallet of package cln, gateway.Client) and a payee (paystream.Payee, the ledger,
// the receiver of package cln, gateway.Server). They talk over plain TCP on
// loopback instead of through a circuit. Their Lightning nodes are play money
// (cln/clnsim) and live in the test process, which outlives both and therefore
// knows what really happened.
//
// Rounds last one second and several pay streams run at once, so that at any
// random moment a few payments are between two steps. The nodes are slow, lose
// attempts, let HTLCs get stuck and settle late, try again by themselves, and hang
// up instead of answering.
//
// # What is counted
//
// A double is a note that was paid twice, or a pay stream that cost more than its
// terms say. A loss is a payment of the nodes that one of the two books does not
// have, or has with another amount, or one in the books that the nodes do not
// have; what settles late must be booked late. A wrong cut is a pay stream that
// its payee ended as late although everything that was due had settled, by the
// clock of the nodes, before the deadline that it missed. All three must be 0.
//
//	go test -race -v ./internal/killtest          # 30 kills of each side
//	go test -race -v ./internal/killtest -soak    # 300 of each; a minute without a node
package killtest
