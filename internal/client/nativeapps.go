package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/internal/tor"
	"golang.org/x/net/proxy"
)

// keep has a paid circuit ready for apps, which tor gives their streams to: one at
// the start, without which this tor does not finish its bootstrap; another one
// before it ends if it was used; and one when a stream waits.
func (n *native) keep(ctx context.Context) {
	pause := minRebuff
	for ctx.Err() == nil {
		p, err := n.forApps(ctx)
		if err != nil {
			if ctx.Err() == nil {
				n.c.failed(err)
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, maxRebuff)
			continue
		}
		pause = minRebuff
		again := n.follow(ctx, p)
		if p.tc.Err() != nil { // a relay may be about to end it: it is not met in the middle of that
			select {
			case <-time.After(settle/4 + rand.N(settle)):
			case <-ctx.Done():
			}
		}
		if again {
			continue
		}
		select {
		case <-n.wanted:
		case <-ctx.Done():
		}
	}
}

// settle is about how long the next circuit waits after one that was ended: relays can
// die of one that comes while they end another.
const settle = 2 * time.Second

// forApps makes a circuit for apps.
func (n *native) forApps(ctx context.Context) (*nativeCircuit, error) {
	path, err := n.choosePath(ctx)
	if err != nil {
		return nil, err
	}
	p, err := n.extend(ctx, "", path)
	if err != nil {
		return nil, fmt.Errorf("no paid circuit could be made: %w", err)
	}
	select {
	case <-p.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p, p.err
}

// follow waits for the last round of a circuit, and reports whether another one is
// to be made: that one was used, or ended before its time.
func (n *native) follow(ctx context.Context, p *nativeCircuit) bool {
	select {
	case <-n.wanted: // whoever waited has this one
	default:
	}
	last := time.NewTimer(p.lastRound().Sub(n.c.cfg.Now()))
	defer last.Stop()
	select {
	case <-last.C:
		return p.used()
	case <-p.tc.Done():
		return p.used()
	case <-ctx.Done():
		return false
	}
}

// lastRound is when the last round of its shortest pay stream begins; of a circuit
// that costs nothing, when a pay stream's would.
func (p *nativeCircuit) lastRound() time.Time {
	lasts := 9 * time.Minute
	for i, h := range p.hops {
		if d := h.terms.Due(h.terms.Rounds - 1); i == 0 || d < lasts {
			lasts = d
		}
	}
	return p.start.Add(lasts)
}

// used reports whether anything went through the circuit.
func (p *nativeCircuit) used() bool {
	read, written := p.tc.Delivered()
	return read+written > 0
}

// waiting hears of apps' streams.
type waiting struct{ n *native }

func (waiting) Events() []string                           { return []string{"STREAM"} }
func (waiting) Connected(context.Context, *tor.Conn) error { return nil }
func (waiting) Disconnected(error)                         {}
func (w waiting) Event(_ context.Context, e controlspec.Reply) {
	s, err := controlspec.ParseStream(e.Lines[0].Text)
	if err != nil || s.Status != "NEW" && s.Status != "NEWRESOLVE" && s.Status != "DETACHED" {
		return
	}
	select {
	case w.n.wanted <- struct{}{}:
	default:
	}
}

// connect gives an app's connection to tor's SocksPort, with what the app says of
// itself, so that tor keeps apart what the app wants kept apart.
func (n *native) connect(ctx context.Context, r socks.Request) (net.Conn, error) {
	var auth *proxy.Auth
	if r.User != "" {
		auth = &proxy.Auth{User: r.User, Password: r.Password}
	}
	return n.c.throughTor(ctx, auth, r.Target())
}
