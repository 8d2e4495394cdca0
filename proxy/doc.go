// Package proxy stands between Tor controllers and tor's control port.
//
//	controller ──► proxy ──► tor      commands; the words of TOPS stay here
//	controller ◄── proxy ◄── tor      replies and events; ours go in between
//
// Every controller has one connection to tor of its own, because much of the
// control protocol belongs to a connection: its authentication, its event
// subscriptions, its onion services, TAKEOWNERSHIP. Bytes pass as they were
// written, both ways, as they come. A controller that uses no word of TOPS sees
// exactly what a direct connection would show:
//
//	ln, err := proxy.Listen("unix:/run/tops/control", proxy.ListenOptions{})
//	srv := &proxy.Server{Dial: proxy.Dialer("unix:/run/tor/control"), Engine: engine}
//	err = srv.Serve(ctx, ln)
//
// # How replies keep their order
//
// tor answers commands in the order it got them, each with exactly one reply.
// So a session only counts: commands sent, replies seen. A command that is
// answered here waits until the two are equal (drain), and nothing more is read
// from the controller until its answer was given. Thus neither a queue of
// expected replies nor a buffer for early ones is needed; a controller that
// pipelines ordinary commands never waits.
//
// # How our events find their place
//
// A controlspec.Scanner follows what tor sends and knows where a reply or an
// event ends. What we have to say waits in a small queue and is written at the
// first such place (downstream). A controller that lets more than
// maxQueued bytes of our events pile up is disconnected: it has stopped reading,
// and an account of payments with holes is worse than none.
//
// # What is refused
//
// A bare CR or a NUL in a command line: tor would answer something that never
// ends, or understand another line than the one shown. Everything else is tor's
// to judge, lines of more than 1 MiB included; but for a SETCIRCUITPURPOSE
// without arguments, of which tor 0.4.9 dies.
//
// # Who is let in
//
// As a rule tor authenticates the controller, whatever the method, and we only
// watch: before tor has said 250 to its AUTHENTICATE nothing is answered here.
// With [Server.Auth] we do it ourselves, by our own cookie or by what the kernel
// says of the peer, and [Login] authenticates our side to tor: then the
// controller need not know tor's secret.
//
//	srv.Auth = &proxy.Auth{CookieFile: path, Cookie: cookie}
//
// Where listeners differ in this ([ParseListener]), each has its Server; [Server.Pass]
// is the one that leaves it to tor.
//
// # What controllers may do
//
// [Server.Access] gives each controller a [Guard], which judges its commands before
// anything else here sees them. A command that is refused is answered in its turn
// and never reaches tor. A command whose reply is rewritten is sent when everything
// before it was answered, so that the reply is known for its own; others pass as
// they do without a guard. [Profiles] are guards by the profiles of package
// policies/access. Without Access a controller may do what tor lets it.
//
//	policy, err := access.Open("/etc/tops/access.d")
//	srv.Access = proxy.Profiles{Policy: policy}
//
// # Who does the work
//
// The proxy knows no circuits and no payments. [Engine] and the small
// interfaces beside it say what it needs; each that is nil is a feature that is
// off, and the words go to tor, which does not know them. With none, the proxy
// is transparent.
//
// Memory: two goroutines and two buffers of 4 KiB for an idle controller;
// buffers grow to 64 KiB while much is moved, and to 1 MiB for one command line
// of that length. A controller that reads slowly slows its own connection to
// tor, and no other; one that does not read at all is disconnected after
// [Server.StallTimeout], lest tor keep for ever what it has to say.
package proxy
