package app

import "golang.org/x/sys/unix"

// raiseFileLimit takes as many descriptors as the system gives: each connection
// through a gateway holds some.
func raiseFileLimit() {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &l) == nil && l.Cur < l.Max {
		l.Cur = l.Max
		_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &l)
	}
}
