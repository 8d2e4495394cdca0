// Package paystream is the engine: one payer paying one relay, from intent to
// close, as both ends see it. It knows no tor, no HTTP, no Core Lightning and no
// SQL; what it needs of them stands here as interfaces, the clock included, so
// that its tests run years of rounds in milliseconds of fake time.
//
// # Words
//
// A pay stream begins with an [Intent]: the payer accepts a relay's terms and
// shows its payment id hash, the only thing that the relay ever learns of it. Time
// goes in rounds. A payment carries the id of a round as its note ([RoundIDs]);
// both ends can compute it, and nobody else can link two of them. Credit is one
// balance: whatever is paid under any of the ids adds to it, and a round is paid
// when the balance covers it. A pay stream's public name is its [Handle].
//
// # The payee
//
// A [Payee] admits intents, credits what its node received, and tells a [Carrier]
// whom to serve. payee_table.go is the life of a pay stream. The rules that matter:
//
//   - Credits and the node's pay_index become durable together ([PayeeJournal]),
//     the index never ahead. The node remembers every payment, so a restart walks
//     on from the index and misses nothing; what was credited before is known by
//     its payment hash.
//   - Nobody is cut on a guess. A deadline is judged only behind the watermark
//     ([Receiver].Sync): when everything that settled before it has been delivered.
//     While the node is away nobody is judged, and the deadlines that passed
//     meanwhile move, once.
//   - An intent that never paid costs no disk. After a restart it is unknown, and
//     the payer sends it again. Money that comes before its intent is kept
//     unclaimed until the intent comes.
//
// Method by method: Admit (payee_admit.go), Deliver (payee_deliver.go), the clock
// and the judge (payee_run.go), what follows from them (payee_apply.go).
//
// # The payer
//
// A [Payer] opens a pay stream over a [Link] and pays it round by round from a
// [Wallet], within a [Budget] and a [PaymentPolicy]. payer_table.go is its life;
// what it has to do next follows from its balance and the clock (payer_duty.go),
// and one agenda serves all pay streams: only a question or a payment that is
// under way has a goroutine.
//
//	p := paystream.NewPayer(paystream.PayerConfig{Wallet: w, Journal: j, Budget: b, Policy: pol, Emit: tell})
//	live, err := p.Recover(ctx)      // Resume or Close each of them
//	go p.Run(ctx)
//	h, err := p.Open(ctx, paystream.OpenRequest{Terms: terms, Link: link, Circuit: "7", Hop: 3})
//
// A payment is one attempt to pay one amount under one note. Its steps, intent,
// invoice, paying, paid, are each durable before the next is taken. So a payer
// that is killed anywhere knows what may have moved: before paying, nothing; after
// it, what the node says. The same invoice may be tried again at any time, since a
// node pays a payment hash once. Another one is asked for only when the node shows
// neither a pending nor a complete payment and has had time to begin none. Until
// then the payment is held: it counts against the budget, no other payment of its
// pay stream begins, and it is watched even after its pay stream is over.
//
// The payee's word counts for time, and the payer's own books for money. Past a
// deadline, after a restart and when its clock jumped, the payer asks before it
// pays; it never pays what the relay counts as paid. An event DUE with a Reason
// says that it will not pay that round, and why: leave the circuit.
package paystream
