// Package app puts a configuration to work: the books, the node, the roles that
// the configuration names, the control-port proxy in front of tor, and the socket
// on which `tops status` asks.
//
//	err := app.Run(ctx, cfg, app.Options{Version: v, Log: logger}) // until ctx ends
//
// Package main only reads flags and calls it.
package app
