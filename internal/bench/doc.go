// Package bench measures what paying costs, on a private network of real tor
// processes: a paid circuit's set-up over a plain one's, and the pace of a
// download through a gateway over that through an ordinary exit. Each figure is a
// ratio of two measurements of the same run, since the machine is part of both.
//
//	go test -run '^$' -bench . -benchtime 1x ./internal/bench   # as root
package bench
