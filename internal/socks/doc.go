// Package socks is the front that apps see: a SOCKS5 server (RFC 1928) as tor's
// SocksPort is one, which also answers HTTP CONNECT on the same port.
//
//	srv := &socks.Server{
//		Connect: func(ctx context.Context, r socks.Request) (net.Conn, error) { … },
//		Resolve: func(ctx context.Context, r socks.Request) (socks.Answer, error) { … },
//	}
//	err := srv.Serve(ctx, listener)
//
// The server reads the handshake, asks Connect for a connection to where the app
// wants to go, answers, and moves bytes both ways until both ends are done. It
// resolves no names and dials nothing itself: what it is told, the handlers get.
//
// As with tor,
//   - a user name and a password (RFC 1929) are taken from everybody and mean
//     nothing but that streams with different ones are kept apart ([Request.User],
//     [Request.Password]);
//   - an app may send data before it has the reply;
//   - one that hangs up before that is waited for no longer: the handler's context
//     ends;
//   - the commands RESOLVE (0xF0) and RESOLVE_PTR (0xF1) of tor's
//     socks-extensions look names up;
//   - BIND and UDP ASSOCIATE are refused with reply 7, since tor carries neither.
//
// SOCKS4, and HTTP that is not CONNECT, get a refusal in their own language, so
// that a person who set the wrong kind of proxy reads why it does not work.
//
// A handler's error becomes a [Reply]: its own if it wraps one, else what
// [Server.Reply] or the kind of network error says.
package socks
