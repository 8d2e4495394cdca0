package socks

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// while runs do, which the app waits for, and ends its context when the app hangs up
// meanwhile: nobody should pay for what nobody waits for. As with tor, an app that says
// that it will send no more has hung up.
func while(ctx context.Context, conn net.Conn, br *bufio.Reader, do func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		if hangsUp(br) {
			cancel()
		}
	}()
	do(ctx)
	conn.SetReadDeadline(time.Unix(1, 0)) // it is looked at no longer
	<-looked
	conn.SetReadDeadline(time.Time{})
}

// hangsUp waits for the app to hang up. It is false at the connection's deadline, and
// when the app has sent more than is kept for it: then nobody can look further.
func hangsUp(br *bufio.Reader) bool {
	for {
		_, err := br.Peek(br.Buffered() + 1)
		if err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, bufio.ErrBufferFull)
		}
	}
}
