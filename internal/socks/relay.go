package socks

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// relay answers the app and moves bytes between it and the target until both
// are done, or one fails. The copying is left to io.Copy, which knows how to
// keep it in the kernel.
func (s *Server) relay(ctx context.Context, app net.Conn, br *bufio.Reader, target net.Conn, answer []byte) {
	defer target.Close()
	defer context.AfterFunc(ctx, func() { target.Close() })()
	app.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := app.Write(answer); err != nil {
		return
	}
	app.SetDeadline(time.Time{})
	early, err := br.Peek(br.Buffered()) // an app may send before it has the answer
	if err != nil {
		return
	}
	var down sync.WaitGroup
	down.Go(func() {
		_, err := io.Copy(app, target)
		finish(err, app, target)
	})
	_, err = target.Write(early)
	if err == nil {
		_, err = io.Copy(target, app)
	}
	finish(err, target, app)
	down.Wait()
}

// finish passes the end of one direction on; a failure ends both.
func finish(err error, dst, src net.Conn) {
	if err != nil || closeWrite(dst) != nil {
		dst.Close()
		src.Close()
	}
}

// closeWrite says that no more will come, as well as the connection can say it.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}
