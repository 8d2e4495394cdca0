// Package clnsim simulates Core Lightning: nodes that speak lightningd's JSON-RPC protocol on unix sockets of their own
// and pay each other. It is play money. Every node says so in its alias ("PLAY MONEY alice") and in its version
// ("…-clnsim"), and its network is regtest; no node of the real network would talk to it.
//
// It exists so that everything that pays or is paid can be tried and tested in milliseconds, and above all on its worst
// day: a node that is slow, away, or full; an HTLC that hangs; an answer that never comes though the payment went
// through.
//
// # A world
//
// The nodes of one [World] share one ledger. Every node can pay every other, over as many forwarding nodes as its
// [Faults] say, as long as the liquidity lasts.
//
//	w := clnsim.NewWorld(clnsim.Options{})
//	defer w.Close()
//	w.AddNode("alice", clnsim.NodeOptions{})
//	w.AddNode("bob", clnsim.NodeOptions{})
//	w.Start("alice", dir+"/alice-rpc") // now: lightning-cli --rpc-file=… getinfo
//	w.Start("bob", dir+"/bob-rpc")
//
// # What is true to Core Lightning
//
// The simulator is held to Core Lightning's own JSON schemas and to calls recorded from v26.06.6, errors included. In
// particular:
//
//   - jsonrpc, id and params are all required; malformed JSON gets no answer; answers end in two newlines and come in
//     the order in which they are ready; half-closing a connection loses the answers under way;
//   - offers, invoice requests and invoices are BOLT 12 messages, signed; `invoice` makes BOLT 11;
//   - fetchinvoice with the same payer_metadata, note and amount gives the same invoice, until that is paid or expires;
//   - a peer's onion messages beyond one per 250 ms and a burst of four are dropped without a word: 1005 after timeout;
//   - pay of a paid invoice gives the first result, xpay 219; two at once: one wins, the other gets -3;
//   - a caller that hangs up stops nothing: ask listpays.
//
// What is not: there is no routing (a payment takes the way that its Faults describe), a payment is one part, a node has
// one channel, and the hidden part of a blinded path is random bytes.
//
// # Making trouble
//
// [World.SetFaults] makes a node slow or unreliable, [World.SetOutage] takes its socket away, [World.SetOffline] its
// peers; [World.ServeControl] offers the same to other processes. [World.Payments] says what really happened, and
// [World.Audit] that no money was made or lost on the way.
package clnsim
