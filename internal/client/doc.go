// Package client is the payer's role, put together: a client's tor, its Lightning
// node, the engine that pays, and the SOCKS port that apps use.
//
//	c, err := client.New(ctx, client.Config{…})
//	err = c.Run(ctx) // until ctx ends
//
// A paid circuit is an ordinary general-purpose circuit of tor whose exit has a
// gateway. Making one goes: choose a path (path.go, from what directory.go has read of
// tor), read the exit's terms (terms.go), have tor build the circuit (circuit.go). It is
// paid for when somebody wants it (want.go): then a pay stream is opened with the
// gateway, through the circuit (open.go), and one idle connection kept to the gateway,
// so that tor does not retire the circuit (serve.go). When tor does all the same it is
// built again (rebuild.go); when its pay stream is in its last round it is continued
// (continue.go); and when it is of no use any more, left (leave.go). Controllers make
// theirs by [Client.ExtendPaidCircuit]; the middle relay is paid in side.go.
//
// An app connects to the SOCKS port (connect.go). Its user name, password and address
// are an isolation key (isolation.go), for which the pool has a circuit (pool.go), or a
// spare one that becomes its own (poolspare.go, spare.go). The connection is a flow
// (flow.go): it goes through tor's own SocksPort to the circuit's gateway, and on from
// there by CONNECT; when the circuit fails before the first byte it goes on through
// another one. What a budget or a cap does to apps is in cap.go.
//
// Every connection is watched (tunnel.go): its bytes count against the relay's allowance
// (bytes.go), which is paid for early when it runs out (credit.go), and the pace decides
// whether a round was worth its price (quality.go, history.go), or the circuit is left
// before it ends (trickle.go). A vigil (vigil.go) notices circuits whose relay does not
// answer any more. After a restart what was open is taken up again, or ended (resume.go).
//
// On El Tor's tor all this is different, and shorter (native.go). Making a circuit goes:
// draw a path (nativepath.go) of relays whose terms are known (nativeterms.go,
// nativerelays.go) and that have not disappointed (nativeshun.go), pay the opening fees and
// have tor build it (nativebuild.go), pay it for as long as it goes on (nativeserve.go), and
// leave it (nativeleave.go). nativekept.go keeps the fees of circuits that were not built,
// nativeresume.go takes up those of an earlier process, and nativeapps.go has one ready for apps.
package client
