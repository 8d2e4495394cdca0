package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/paystream"
)

// rider opens a pay stream and pays nothing; every connection that it makes shows it.
type rider struct {
	w    *world
	hash paystream.PaymentIDHash
}

func newRider(w *world) rider { return rider{w, paystream.NewPreimage().Hash()} }

func (r rider) connect(t *testing.T) *net.TCPConn {
	t.Helper()
	c, err := r.w.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	body := fmt.Sprintf(`{"payment_id_hash":%q,"terms_hash":%q}`, r.hash.Hex(), testTerms.Hash())
	mustWrite(t, c, fmt.Sprintf("POST /tops/v1/paystreams HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	mustRead(t, c, "HTTP/1.1 201 Created\r\n")
	return c.(*net.TCPConn)
}

// Free pay streams cost nothing, so they must not take the place of who has paid:
// not of its open connections, and not of its next one.
func TestWhoHasPaidStays(t *testing.T) {
	w := newWorld(t, func(c *gateway.Config) { c.Conns = 8 })
	w.payee.free = testTerms.FreeBytes
	w.open(t)
	w.server.Allow(w.hash.Handle(), testTerms.FreeBytes+1)
	near, far := w.tunnel(t)
	var riders []*net.TCPConn
	for i := range 3 {
		r := newRider(w)
		for range 4 {
			riders = append(riders, r.connect(t))
		}
		n, f := w.tunnel(t) // the room is full from the second rider on
		mustWrite(t, n, "still")
		mustRead(t, f, "still")
		t.Logf("after %d riders: %d connections", i+1, w.server.Stats().Connections)
	}
	mustWrite(t, near, "here")
	mustRead(t, far, "here")
	if !ends(riders[0], 5*time.Second) {
		t.Error("the oldest rider is still connected")
	}
	eventually(t, "no more connections than there is room for", func() bool { return w.server.Stats().Connections <= 8 })
	if n := w.server.Stats().Refused[gateway.RefusedRoom]; n < 8 {
		t.Errorf("%d were refused for want of room, want 12 riders and 5 of one who paid in 8 places", n)
	}
	// When everybody has paid, the newest goes.
	for range 3 {
		w.tunnel(t)
	}
	eventually(t, "the room to be full of those who have paid", func() bool { return w.server.Stats().Connections == 8 })
	switch c, err := w.dial(t.Context()); {
	case errors.Is(err, syscall.ECONNRESET): // before the dialer looked
	case err != nil:
		t.Fatal(err)
	default:
		defer c.Close()
		if !ends(c.(*net.TCPConn), 5*time.Second) {
			t.Error("one more than there is room for")
		}
	}
	mustWrite(t, near, "and here")
	mustRead(t, far, "and here")
}

// slow is a dialer for whom some targets make themselves wait.
type slow struct {
	toOne
	asked, wait chan struct{}
}

func (d slow) Dial(ctx context.Context, target gateway.Target) (*net.TCPConn, error) {
	if target.Name == "slow.example.com" {
		d.asked <- struct{}{}
		select {
		case <-d.wait:
		case <-ctx.Done():
			return nil, &gateway.TargetError{Code: gateway.TargetTimeout}
		}
	}
	return d.toOne.Dial(ctx, target)
}

// Slow targets of those who have not paid keep nobody waiting who has.
func TestNewcomersShareDials(t *testing.T) {
	asked, wait := make(chan struct{}), make(chan struct{})
	w := newWorld(t, func(c *gateway.Config) {
		c.NewcomerDials = 2
		c.Dial = slow{c.Dial.(toOne), asked, wait}
	})
	w.payee.free = testTerms.FreeBytes
	w.open(t)
	w.server.Allow(w.hash.Handle(), testTerms.FreeBytes+1)
	free := newRider(w)
	free.connect(t)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			c, err := w.client.Connect(t.Context(), free.hash, "slow.example.com:443")
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		})
	}
	<-asked
	<-asked
	var busy *paystream.Busy
	if c, err := w.client.Connect(t.Context(), free.hash, "example.com:443"); !errors.As(err, &busy) {
		t.Errorf("a third target of who has not paid: %v, %v; want to be told to wait", c, err)
	}
	for range 3 {
		w.tunnel(t)
	}
	close(wait)
	all.Wait()
	w.accept(t)
	w.accept(t)
	eventually(t, "a place to be free again", func() bool {
		c, err := w.client.Connect(t.Context(), free.hash, "example.com:443")
		if err == nil {
			c.Close()
			w.accept(t)
		}
		return err == nil
	})
}
