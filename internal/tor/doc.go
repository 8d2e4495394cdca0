// Package tor is tops' own connection to tor: it sets tor's options and keeps
// them set, builds and follows circuits, and carries connections through them
// to the gateway of a hop. What other controllers say is package proxy's
// affair; this package is one more controller beside them.
//
// # A connection
//
// [Dial] connects to a control socket or port, authenticates and gives a
// [Conn], which sends commands and returns replies:
//
//	conn, err := tor.Dial(ctx, tor.Options{Address: "/run/tor/control"})
//	…
//	reply, err := conn.Do(ctx, "GETINFO version")
//
// Every command has a context. A reply that is not positive is an error that
// wraps [*controlspec.ReplyError]. Commands of several goroutines are
// pipelined; events wait in a bounded queue for NextEvent, so that the reader
// never waits for whoever handles them.
//
// # A client that stays
//
// tor is restarted and reloaded under us. [Start] gives a [Client] that
// connects again, with growing pauses, and tells its handlers:
//
//	settings := tor.NewSettings(state, save, failed)
//	circuits := tor.NewCircuits()
//	attacher := tor.NewAttacher(settings)
//	client, err := tor.Start(ctx, tor.Config{
//		Options:  options,
//		Handlers: []tor.Handler{settings, circuits, attacher},
//	})
//
// The order is the order in which they begin after each connect. A handler's
// methods fail with [ErrNotConnected] while there is no connection.
//
// [Settings] keeps options at our values. tor forgets what SETCONF set at
// every RELOAD; Settings hears of it and sets it again within a few
// milliseconds. For each option it knows the base, the operator's value, and
// what we have made of it:
//
//	settings.Set(ctx,
//		tor.Fixed("FetchUselessDescriptors", "1"),
//		tor.Setting{Key: "ContactInfo", Apply: addOurWords})
//
// A value that is not ours must be somebody's wish: it becomes the base, and
// ours is made of it anew. Restore puts bases back. Both are saved before tor
// is told anything, so that whoever follows a killed process can do so too. A
// process that keeps no state and is killed leaves __LeaveStreamsUnattached
// behind, and its successor must take that for the operator's wish.
//
// [Circuits] builds circuits, tells how they end, and counts their bytes. A
// circuit survives the loss of the control connection; when tor has it no more
// it ends with [ErrCircuitGone].
//
// # A way to a gateway
//
// [Attacher.DialGateway] is a net.Conn to the gateway of one hop:
//
//	conn, err := attacher.DialGateway(ctx, gateway, tor.Target{Circuit: c.ID, Hop: 2})
//
// What happens: a name is mapped to the relay's address by MAPADDRESS, with
// ".exit"; tor's SocksPort is asked for that name under a username that holds
// a secret of this process; tor says STREAM … CONTROLLER_WAIT; the attacher
// knows the username and answers ATTACHSTREAM with circuit and hop. A stream
// that the hop refuses would wait for another circuit: it is closed, and the
// refusal is the error of [StreamConn.Connected] and of Read.
//
// Streams of other applications show up at CONTROLLER_WAIT too. They get
// ATTACHSTREAM 0, which lets tor choose, unless another controller wants
// them. Call [Attacher.Leave] before the end.
//
// The commands are those of Tor's control-spec; what tor does beyond it was
// measured on tor 0.4.9.
package tor
