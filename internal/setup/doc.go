// Package setup makes a paid relay of a machine that has a relay's tor and Core
// Lightning, and takes it back. It is what `tops relay init` and `tops relay undo`
// do; the questions are asked, and the answers printed, in cmd/tops.
//
//	plan, err := setup.PlanRelay(ctx, setup.RelayOptions{File: "/etc/tops/tops.toml", Set: []string{"lightning.rpc=…"}})
//	…                      // show it; ask
//	err = plan.Write()     // tops.toml, and nothing else
//	plan.Drop(ctx)         // or take back what planning did
//
// Planning looks at everything (package doctor), makes the offer, because its text
// is part of what tor will be told, and with AddAddress gives the loopback
// interface the relay's public address. It sets nothing in tor: `tops run` does.
//
// [Undo] puts back tor's options, disables the offers, and takes the address away
// if it came from here.
package setup
