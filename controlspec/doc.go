// Package controlspec reads and writes Tor's control protocol, and the TOPS
// extension to it.
//
// The protocol is two streams of lines. A controller sends commands:
//
//	GETINFO version                      one line
//	+LOADCONF                            a '+' announces a data block …
//	SocksPort 9050
//	.                                    … that a lone dot ends
//
// and tor sends replies, with asynchronous events between them:
//
//	250-version=0.4.9.11                 more of this reply follows
//	250 OK                               the reply ends here
//	650 STREAM 43 NEW 0 10.0.0.1:80      an event: its code begins with 6
//
// # Reading without gathering
//
// A reply may have any size, so whoever stands between the two must not wait
// for the end of one. [Scanner] cuts what tor sends into lines, or into
// fragments of very long ones, in the caller's own buffer and says of each
// whether it belongs to an event and whether a reply or event ends with it.
// [CommandReader] does the same for the other direction, where tor itself
// bounds a line ([MaxCommand]). Both give back the bytes as they came: the
// pieces, written one after the other, are the input.
//
//	var s controlspec.Scanner
//	for len(p) > 0 {
//		line := s.Next(p)
//		if len(line.Raw) == 0 {
//			break // too little to judge: read more behind p
//		}
//		p = p[len(line.Raw):]
//		if line.End && !line.Async {
//			replies++
//		}
//	}
//
// # Reading small replies whole
//
// A client of tor wants values. [ReplyReader] gathers one reply or event at a
// time, up to a limit:
//
//	r := controlspec.NewReplyReader(conn)
//	reply, err := r.ReadReply()
//	switch {
//	case err != nil:
//		return err
//	case reply.Async():
//		ev, err := controlspec.ParseStream(reply.Lines[0].Text)
//		…
//	case !reply.OK():
//		return reply.Err() // a *ReplyError with tor's code and words
//	}
//
// [Command] is the typed view of what a controller says, [ParseArgs] of its
// words (KEY=value, KEY="quoted value", flags), [Quote] and [Unquote] of its
// strings. [ParseStream], [ParseCirc], [ParseCircBW], [ParseSignal] and
// [ParseConfChanged] read the events that TOPS itself acts upon; [ParseEvent] the
// others.
//
// # What TOPS adds
//
// tops-control-spec.md in this directory specifies the extension. Here are
// [ParseExtendPaidCircuit], [PayStreamEvent] and [ReceivedEvent]. Nothing in
// this package connects to anything; package proxy does.
//
// # Secrets
//
// [Redact] makes a line fit for a log: passwords, cookies, onion keys and
// payment hashes give way to a mark. Errors of this package never quote more
// of a line than its command word.
package controlspec
