// Package control answers what controllers ask in the words of TOPS: it stands
// behind package proxy and in front of the two roles. What the words mean is
// specified in controlspec/tops-control-spec.md.
//
//	controller ──► proxy ──► control.Engine ──► client, relay, books, node
//
// [Engine] fulfils the interfaces that package proxy has for its engine, a file for
// each subject:
//
//	engine.go    EXTENDPAIDCIRCUIT 0 path, GETINFO tops/…, the events
//	selfpaid.go  +EXTENDPAIDCIRCUIT, where the controller pays
//	upgrade.go   a plain EXTENDCIRCUIT 0 that becomes a paid circuit
//	circuits.go  the terms in CIRC events, the 551 to ATTACHSTREAM, relays, wallet
//	streams.go   a controller that wants to attach streams itself
//
// [Options] is GETCONF, SETCONF and RESETCONF of El Tor's Payment options, which
// change the relay's terms. A role that this tops does not play is nil, and what is
// asked of it is refused by name.
//
// Money is spent on a controller's account ([proxy.Controller.Account]): that of its
// access profile, else of its user or machine. What it may spend is the client's
// business. Errors that reach a controller are [*controlspec.ReplyError]s; all
// others are the log's, and the controller hears that something failed.
package control
