// Package demo shows the whole of TOPS on one machine: a private network of real
// tor processes, a relay and a client run by this same program as processes of
// their own, and play-money Lightning nodes in a fourth.
//
//	err := demo.Run(ctx, demo.Options{Out: os.Stdout})
//
// Five scenes are played (scene_*.go), and each is checked afterwards against
// three books that know nothing of each other: the client's ledger, the relay's
// ledger, and what the simulator of the nodes says really happened. Nothing that
// is printed was computed from what should have been.
//
// What is not real is the money. The misbehaving payers of the second scene are
// not the client, which does not misbehave, but a few lines on top of the
// gateway's wire (stranger.go).
package demo
