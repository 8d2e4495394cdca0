// Package web is the status page: what a relay earns and serves, what a client
// pays and gets, and whether tor and Lightning are well.
//
//	s := web.New(web.Config{Source: figures, Metrics: handler})
//	err := s.Serve(ctx, ln) // until ctx ends
//
// The page is rendered on the server and complete without a script. A small one of
// ours listens to server-sent events and puts changed parts in the place of those
// that are shown, element by element, so that neither the focus nor an open table
// is lost.
//
// It has no password, so it is for the loopback, and for nobody but who opened it
// there: a Host header that is no name of the loopback is refused, since a web site
// could give its own name our address (DNS rebinding); nothing can be embedded,
// and nothing can be changed.
package web
