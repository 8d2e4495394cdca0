package gateway

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Payee is what the gateway asks: the engine on the relay. Its errors are those
// of paystream/errors.go; any other is answered 503 and reported to
// [Config.Failed].
type Payee interface {
	// Terms are the terms on offer.
	Terms() policies.Terms

	// Admit takes an intent. When it returns without an error, either the pay
	// stream's [paystream.Carrier.Allow] has been called, or Authorize names the
	// one that it continues.
	Admit(ctx context.Context, in paystream.Intent) (paystream.View, error)

	// View is the payee's view of a pay stream.
	View(ctx context.Context, h paystream.PaymentIDHash) (paystream.View, error)

	// End ends a pay stream for who knows the preimage.
	End(ctx context.Context, h paystream.PaymentIDHash, p paystream.Preimage) (paystream.View, error)

	// Invoice makes a BOLT11 invoice for a round of a pay stream.
	Invoice(ctx context.Context, h paystream.PaymentIDHash, round int, amountMsat int64) (string, error)

	// Authorize says which pay stream a new tunnel counts to: the one of the
	// hash, or the one that it continues while it has not begun. A pay stream
	// that has tunnelled all that it may, or is over, is a *paystream.Demand.
	Authorize(ctx context.Context, h paystream.PaymentIDHash) (paystream.Handle, error)
}

// Dialer connects to the targets of tunnels. [*Exit] is the one that a relay
// uses. Its errors are ErrPolicy, *TargetError or *paystream.Busy.
type Dialer interface {
	Dial(ctx context.Context, target Target) (*net.TCPConn, error)
}

// Config of a [Server]. Dial and Source are needed; a zero limit is its default.
type Config struct {
	Dial   Dialer
	Source func(netip.Addr) bool // whether a connection from there is from our own tor

	Conns          int           // at once, 16384; a tunnel has two descriptors, and up to four more while an end does not read
	Unauthorized   int           // of them without a pay stream, 512
	PayStreamConns int           // of one pay stream, 128
	NewcomerDials  int           // targets being looked up and connected to for all pay streams together that have paid nothing yet, 256
	PayStreamRate  int           // new tunnels of one pay stream, a second, 32; twice that in a burst
	Uplink         int64         // bytes a second for all tunnels together, shared fairly between pay streams, and those that have paid nothing count as one; 0: no limit
	HeadTimeout    time.Duration // for one request, 5 s
	PayeeTimeout   time.Duration // for the payee's answer, 20 s
	IdleTimeout    time.Duration // of a tunnel on which nothing moves, 10 min to twice that

	// Answered, if set, is told of each answer, for metrics.
	Answered func(method string, status int)
	// Failed, if set, is told of errors that are none of the protocol's.
	Failed func(error)
}

// Server is the relay's gateway. Make one with [NewServer].
type Server struct {
	cfg Config
	meters
	uplink *uplink // nil if it has no limit
	first  flow    // the part of the uplink that pay streams share which have paid nothing yet
	payee  atomic.Pointer[Payee]
	stats  stats

	newcomerDials chan struct{} // holds a token for each that is under way

	room    room
	serving sync.WaitGroup
}

var _ paystream.Carrier = (*Server)(nil)

// NewServer makes a server that serves nobody yet.
func NewServer(cfg Config) *Server {
	cfg.Conns = cmp.Or(cfg.Conns, 16384)
	cfg.Unauthorized = cmp.Or(cfg.Unauthorized, 512)
	cfg.PayStreamConns = cmp.Or(cfg.PayStreamConns, 128)
	cfg.NewcomerDials = cmp.Or(cfg.NewcomerDials, 256)
	cfg.PayStreamRate = cmp.Or(cfg.PayStreamRate, 32)
	cfg.HeadTimeout = cmp.Or(cfg.HeadTimeout, 5*time.Second)
	cfg.PayeeTimeout = cmp.Or(cfg.PayeeTimeout, 20*time.Second)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, 10*time.Minute)
	if cfg.Answered == nil {
		cfg.Answered = func(string, int) {}
	}
	if cfg.Failed == nil {
		cfg.Failed = func(error) {}
	}
	s := &Server{cfg: cfg, meters: meters{by: make(map[paystream.Handle]*meter)}, room: newRoom(cfg.Unauthorized, cfg.Conns),
		newcomerDials: make(chan struct{}, cfg.NewcomerDials)}
	if cfg.Uplink > 0 {
		s.uplink = newUplink(cfg.Uplink)
	}
	return s
}

// SetPayee gives the server whom to ask. The two need each other, so one comes
// first: a server is made, a payee with it as its carrier, and then this.
func (s *Server) SetPayee(p Payee) { s.payee.Store(&p) }

// Serve accepts connections until ctx ends, closes ln and every connection, and
// returns when all are gone. Its error is nil if it was ctx that ended it.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.cfg.Dial == nil || s.cfg.Source == nil || s.payee.Load() == nil {
		return errors.New("a gateway needs a dialer, the addresses of its tor and a payee")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer s.cutting.Wait()
	defer s.serving.Wait()
	defer s.room.cutAll()
	defer cancel()
	defer ln.Close()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	var pause time.Duration
	for {
		c, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.accept(ctx, c)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of descriptors, or the peer was gone already
			s.cfg.Failed(err)
			pause = min(max(2*pause, time.Millisecond), time.Second)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// accept serves a connection of our own tor and drops any other.
func (s *Server) accept(ctx context.Context, nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok || !s.cfg.Source(tcp.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()) {
		if ok {
			tcp.SetLinger(0)
		}
		nc.Close()
		s.stats.refuse(RefusedStranger)
		return
	}
	c := &conn{server: s, tcp: tcp, done: make(chan struct{})}
	s.room.enter(c, s.freeBytes, s.stats.refuse)
	s.serving.Go(func() {
		defer s.room.leave(c)
		defer s.detach(c)
		defer c.close()
		c.serve(ctx)
	})
}

// flow is the meter's part of the uplink.
func (s *Server) flow(m *meter) *flow {
	if !m.paid(s.freeBytes) {
		return &s.first
	}
	return m.flow()
}

// freeBytes is what a pay stream may tunnel that has paid nothing.
func (s *Server) freeBytes() int64 { return (*s.payee.Load()).Terms().FreeBytes }
