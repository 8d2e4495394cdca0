package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/internal/testnet"
	"golang.org/x/net/proxy"
)

// webAddr is the server that is downloaded from: a plainly public address, since
// a gateway connects to no other. It exists in a namespace of ours alone.
var webAddr = netip.MustParseAddrPort("93.184.216.34:80")

// serveWeb serves /stream: bytes at a steady pace, for ever.
func serveWeb(ctx context.Context) error {
	outside, err := testnet.NewOutside(webAddr.Addr())
	if err != nil {
		return err
	}
	ln, err := outside.Listen("tcp", webAddr.String())
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: http.HandlerFunc(stream), ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	go func() { _ = srv.Serve(ln) }()
	return nil
}

func stream(w http.ResponseWriter, r *http.Request) {
	rate, err := strconv.Atoi(r.URL.Query().Get("rate"))
	if err != nil || rate < 1000 {
		rate = 200_000
	}
	const every = 50 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	chunk := make([]byte, rate/int(time.Second/every))
	var at byte
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
		for i := range chunk {
			chunk[i] = at
			at++
		}
		if _, err := w.Write(chunk); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// download is a running GET of /stream. Every byte is checked.
type download struct {
	bytes atomic.Int64
	done  chan struct{}
	err   error // why it ended, once done is closed
}

// fetch downloads over conn.
func fetch(conn net.Conn, rate int) *download {
	d := &download{done: make(chan struct{})}
	go func() {
		defer close(d.done)
		defer conn.Close()
		d.err = d.run(conn, rate)
	}()
	return d
}

func (d *download) run(conn net.Conn, rate int) error {
	hc := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return conn, nil },
	}}
	resp, err := hc.Get(fmt.Sprintf("http://%s/stream?rate=%d", webAddr, rate))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var want byte
	buf := make([]byte, 16<<10)
	for {
		n, err := resp.Body.Read(buf)
		for _, b := range buf[:n] {
			if b != want {
				return errors.New("the bytes that came are not those that were sent")
			}
			want++
		}
		d.bytes.Add(int64(n))
		if err == io.EOF {
			return io.ErrUnexpectedEOF // the stream has no end
		}
		if err != nil {
			return err
		}
	}
}

// why says why the download ended; nil while it runs.
func (d *download) why() error {
	if d.ended() {
		return d.err
	}
	return nil
}

func (d *download) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// dialSOCKS connects to the web server through a SOCKS port, as user.
func dialSOCKS(ctx context.Context, port, user string) (net.Conn, error) {
	dialer, err := proxy.SOCKS5("tcp", port, &proxy.Auth{User: user, Password: "demo"}, nil)
	if err != nil {
		return nil, err
	}
	return dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", webAddr.String())
}
