// Package eltor is the native carrier: pay streams on El Tor's fork of tor, which
// carries the hashes of a payment inside the circuit's handshake, to every hop. The
// engine, the books and the policies are those of the stock carrier. It is a
// network of its own, and docs/el-tor.md says what a user of it must know.
//
// # Which tor it is
//
// [Probe] tells a stock tor from the fork, and its two dialects apart. Relays of
// dialect A hear of payments and can end no circuit; those of dialect B can.
//
// # What a circuit carries
//
// Each hop is told a [Payload]: a hash, its preimage, and ten round ids, 768 hex
// digits. [ParseDescriptor] reads what a relay asks from the Payment… lines of its
// server descriptor. [Builder] is the only place where EXTENDPAIDCIRCUIT is written:
// the fork dies of much that it does not expect, so every digit is checked, every
// relay looked up, and one circuit built after the other.
//
//	b := eltor.NewBuilder(torClient, circuits)
//	circ, err := b.Build(ctx, []eltor.Hop{{guard, eltor.NewPayload()}, …}, nil)
//
// # The payer
//
// A [Link] is the payer's line to one hop: there is nobody to ask, so what the relay
// must think follows from our own books and the clock. The opening fee, if a relay
// asks one, is paid before the circuit is built, and kept for the next one if it is
// not. Package internal/client puts it together (native.go).
//
// # The payee
//
// A [Carrier] hears of payloads on a control connection of its own, on which nothing
// else is said: a payload is a stranger's, may hold line ends, and so could say
// anything ([ParseEvent]). It has the engine admit each once, and ends the circuits
// that are not paid, unless another has the same id. Opening fees come through
// [Fees]. Package internal/relay puts it together (native.go).
//
// Package eltorsim is the double that all of it is tested with.
package eltor
