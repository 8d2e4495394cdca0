// Package e2e holds tests and nothing else: bad input and failures, met by the
// whole of tops on a private network of real tor processes (package testnet), with
// play-money Lightning nodes (package clnsim).
//
// The relay and the client are run by [app.Run] in the test's own process, as
// `tops run` would run them. So every goroutine and every descriptor that one of
// them leaves behind is seen, and so is every line that it logs.
//
// One network serves all: TestWorld starts it and plays the scenes one after the
// other, each a subtest that can be run alone:
//
//	go test -race -run TestWorld/outage ./internal/e2e
//
// Each scene must end as it began ([world.steady]), and at the end no log line may
// hold a secret: not a preimage, a hash, a note, or a cookie.
//
// [app.Run]: https://pkg.go.dev/github.com/el-tor/tops/internal/app#Run
package e2e
