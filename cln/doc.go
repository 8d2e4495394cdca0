// Package cln pays and is paid through Core Lightning, over the JSON-RPC socket that lightningd offers its owner.
//
// It has three layers, each usable without the next.
//
// [Client] makes calls: [Client.Call] for any command, and a method each for those that are used here. Calls share one
// connection and may be under way at the same time; their answers come in any order. What matters most about a call that
// failed is whether it did anything, so its errors come in three kinds: the node said no ([*Error], with its [Code]), the
// node was not asked ([ErrUnreachable]), the node was asked and nobody knows ([ErrNoAnswer]).
//
//	c := cln.NewClient("/run/lightningd/bitcoin/lightning-rpc")
//	defer c.Close()
//	info, err := c.GetInfo(ctx)
//
// [Wallet] is the payer's side, a paystream.Wallet. Before money moves it lets the node decode the invoice and holds it
// to what was asked: whose offer, how much, which note, until when. It pays by xpay where the node has it, else by pay,
// always with a maxfee, a retry_for and a small maxdelay. After any error it asks listpays, and its errors say what is
// then known:
//
//	nil             settled
//	ErrHeld         money is on its way, or may be: only Lookup can tell
//	ErrTryAgain     nothing moved; pay the same invoice again
//	ErrRefused      nothing moved; this invoice will never be paid. ErrFee is the kind that routing is to blame for
//	ErrUnavailable  the node was not asked
//
// Terms name their payee by an offer, by a BIP 353 name that leads to one (fetchbip353), or by a Lightning Address, which
// [Addresses] asks over https through a dialler of the caller's. Only an offer is asked by onion message, which shows
// nobody who pays.
//
// A payee's node drops invoice requests that come faster than four a second from one peer, without a word. The wallet
// spaces its own; what is dropped nevertheless fails as ErrTryAgain, and the same request later gets the same invoice,
// because its payer_metadata is the same.
//
// [Receiver] is the payee's side, a paystream.Receiver. It walks what the node was paid, one pay_index after the other
// (waitanyinvoice), and hands it to a sink in batches. The node is the journal: whoever starts again gives the last
// position that is durable and misses nothing, also when the node was restored from an older state meanwhile and gives
// the same pay_index to another payment ([Restored]). [Receiver.Sync] answers the question on which nobody is cut who paid:
// until when is the sink's knowledge complete? It has the node confirm that nothing was paid beyond what was read, then
// waits until the sink has all of it. The receiver also makes the offer for a set of terms, plain invoices for payers
// that cannot fetch one, and sweeps up its own expired ones; it never lists all of a node's invoices, and touches none
// that is not its own.
//
// [Client.Health], or [Watch] as long as it takes, is for both: does the node answer, is it up to date, has it the liquidity, and would it show its
// address to those that it pays?
//
// Error texts hold no invoice, hash or preimage. The package never logs.
//
// Tests run against the simulator in clnsim, and some against real nodes where lightningd and bitcoind are on the PATH. When TOPS_CLN_DATA names a folder with Core Lightning's JSON schemas and
// recorded calls, both are held to them.
package cln
