// Package eltorsim is a double of El Tor's fork of tor, for tests: its control
// port, and a network of such tors in one process. It is no tor. No cell is sent
// and no byte is carried; what it has is the behaviour that was measured on the
// fork's two dialects, its faults included:
//
//   - it dies of what kills the real one, and says of what ([Tor.Died]): an unknown
//     fingerprint, a descriptor that is missing, a payload block without a valid
//     line, a circuit id that is not 0, a block that is none;
//
//   - it drops lines that it does not understand and says 250 all the same, so that
//     the circuit is shorter;
//
//   - its relays tell of payloads on every hop before the circuit is built, in the
//     form of their dialect, and can be made to say lines twice, or anything else, or to
//     keep circuits waiting; a client can be made to leave a command unanswered;
//
//   - TEARDOWNCIRCUIT 0 ends an arbitrary circuit, ALL ends all, and an id that two
//     circuits share ends the first.
//
//     w := eltorsim.NewWorld()
//     relay, err := w.AddRelay("guard", eltorsim.B, "PaymentRateMsats 1000")
//     client, err := w.AddClient(eltorsim.B)
//     // client.Address and relay.Address are control ports
package eltorsim
