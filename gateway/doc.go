// Package gateway is the stock carrier: how an unmodified tor takes a pay
// stream to a relay, and how the relay enforces it. Server, client and the
// types on the wire between them are here, in one place.
//
// # The relay's side
//
// A [Server] is the relay's paid exit. It speaks strict HTTP/1.1 to connections
// from its own tor, and to nobody else: any other source is closed before a
// byte is read. It decides nothing about money. It asks a [Payee], which is the
// engine of package paystream, and it is the engine's [paystream.Carrier]: the
// engine says how many bytes a pay stream may tunnel, when it is over, and which
// pay stream goes on from which.
//
//	exit, err := gateway.NewExit(gateway.ExitConfig{Policy: policy, Own: own, Relay: relays})
//	srv := gateway.NewServer(gateway.Config{Dial: exit, Source: fromOwnTor})
//	srv.SetPayee(payee)            // the payee was made with srv as its carrier
//	err = srv.Serve(ctx, listener) // until ctx ends
//
// What it answers:
//
//	GET    /tops/v1/terms        the terms on offer
//	POST   /tops/v1/paystreams   an intent: 201 and the payee's view, or what is missing
//	GET    /tops/v1/paystream    the payee's view                   Authorization: Tops <payment_id_hash>
//	DELETE /tops/v1/paystream    the end, {"preimage": hex}         Authorization: Tops <payment_id_hash>
//	POST   /tops/v1/invoices     a BOLT11 invoice for a round       Authorization: Tops <payment_id_hash>
//	CONNECT host:port            200, then bytes              Proxy-Authorization: Tops <payment_id_hash>
//
// Requests may be pipelined: a client writes POST, CONNECT and the first bytes
// of the tunnel at once and waits one round trip for all of them. Any answer but
// 2xx closes the connection. A connection that has not shown a live pay stream
// has a few seconds for each request and is the first to go when room is short;
// one that has may stay idle for as long as the pay stream lives, which is what
// keeps the client's circuit from being retired.
//
// # Bytes
//
// Each pay stream has a meter: what it may tunnel and what it has. Before a
// chunk is read from a socket it is taken from the meter, never more than has
// arrived, so nothing is reserved by a connection that only waits, and the limit
// is met to the byte however many connections share it. At the limit nothing is
// read; TCP holds the sender back until the engine allows more. Bytes go from
// socket to socket inside the kernel (splice(2), through [net.TCPConn.ReadFrom]).
//
// With [Config.Uplink] there is a second thing to take before a chunk is read: a
// turn. The uplink is shared between pay streams, not connections, and max-min
// fairly: what one pay stream leaves goes to the others. Those that have paid
// nothing yet share the part of one.
//
// They come last in everything else, too: when there are too many connections
// theirs go first, and they share a few places for targets that make themselves
// wait. So the free bytes of strangers cost those who pay as little as can be.
//
// # The exit
//
// An [Exit] dials the targets: an exit [Policy] in tor's syntax, and on top of
// it refusals that nothing turns off: private, loopback, link-local, special-use
// and own addresses, relays' OR ports, and every IPv6 form that embeds such an
// address. They are judged on the address that is dialled, in the moment
// between socket(2) and connect(2), so a name that resolves to something else
// the second time gains nothing. Names are resolved by a [DNS], which keeps
// answers for as long as they say; a name's addresses are tried as RFC 8305 has
// it. Where a pay stream connects to is written nowhere and kept nowhere.
//
// # The payer's side
//
// A [Client] is one payer's line to one gateway, over connections that the
// caller makes through the circuit. It is the engine's [paystream.Link], and it
// opens tunnels:
//
//	c := gateway.NewClient(dial)
//	answer, err := c.Open(ctx, intent)
//	conn, err := c.Connect(ctx, intent.Hash, "example.com:443")
//
// An answer of the relay comes back as the error of package paystream that it
// stands for, with all that it carried: *paystream.Demand with the amount and
// the note, *paystream.TermsChanged with the new terms, *paystream.Busy with the
// time to wait. Only on CONNECT: [ErrPolicy] and [*TargetError].
package gateway
