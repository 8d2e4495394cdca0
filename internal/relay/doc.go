// Package relay is the payee's role, put together: a relay's tor, its gateway,
// its Lightning node and the engine that decides between them.
//
//	r, err := relay.New(ctx, relay.Config{…})
//	err = r.Run(ctx) // until ctx ends
//
// Setting up goes through tor's control port alone; torrc is never touched.
// What is set ([Options]) is set again after every RELOAD and restart of tor, is
// kept over restarts of tops, and is put back by `tops relay undo` ([Undo]):
//
//   - ContactInfo: the terms, as words behind whatever the operator wrote;
//   - ExitPolicy, ExitRelay, ExitPolicyRejectPrivate and
//     ExitPolicyRejectLocalInterfaces: one rule that lets streams reach the
//     gateway on the relay's own address, rejections of everything else that is
//     its own or private, and behind them what the operator had.
//
// A relay that was no exit gets no Exit flag by this, and no stranger picks it
// as one; but its gateway makes the machine an exit all the same, and whoever
// runs it should know that.
package relay
