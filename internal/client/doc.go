// Package client is the payer's role, put together: a client's tor, its Lightning
// node, the engine that pays, and the SOCKS port that apps use.
//
//	c, err := client.New(ctx, client.Config{…})
//	err = c.Run(ctx) // until ctx ends
//
// A paid circuit is an ordinary general-purpose circuit of tor whose exit has a
// gateway. Making one ([Client.ExtendPaidCircuit]) goes: read the exit's terms
// (terms.go), build the circuit, open a pay stream with the gateway through it
// (circuit.go), and keep one idle connection to the gateway, so that tor does not
// retire the circuit. When the pay stream is in its last round it is continued.
//
// An app connects to the SOCKS port. Its user name, password and address are an
// isolation key (isolation.go), for which the pool has a circuit, or a spare one that
// becomes its own (pool.go, spare.go). The connection is a flow (flow.go): it goes
// through tor's own SocksPort to the circuit's gateway, and on from there by CONNECT;
// when the circuit fails before the first byte it goes on through another one. A
// vigil (vigil.go) notices circuits whose relay does not answer any more.
//
// Every connection is watched (tunnel.go): the bytes count against the relay's
// allowance, and the pace decides whether a round was worth its price (quality.go,
// history.go). What a budget or a cap does to apps is in cap.go; the middle relay is
// paid in side.go.
package client
