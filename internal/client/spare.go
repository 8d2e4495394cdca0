package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/path"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
)

// buildSpare makes a circuit for the pool: built by tor, its exit's terms known, and
// nothing said to the exit. A free round lasts only a while, and a pay stream that is
// open runs; so neither begins before somebody uses the circuit.
func (c *Client) buildSpare(ctx context.Context, stable bool) (*circuit, error) {
	chosen, err := c.choosePath(ctx, path.Request{Avoid: c.failedLately(), Stable: stable})
	if err != nil { // better an exit that failed than none
		chosen, err = c.choosePath(ctx, path.Request{Stable: stable})
	}
	if err != nil {
		return nil, err
	}
	p, err := c.extend(ctx, "", chosen.Hops, nil)
	if err != nil {
		return nil, err
	}
	p.lasting = chosen.Stable
	if err := built(ctx, p.tor()); err != nil {
		if !nobodys(ctx, err) {
			c.notBuilt(p)
		}
		return nil, fmt.Errorf("no paid circuit could be made: %w", err)
	}
	return p, nil
}

// avoidFor is how long a relay is avoided that has failed a circuit.
const avoidFor = time.Minute

func (c *Client) noteFailed(relay string) {
	c.book.BuildFailed(relay)
	c.avoid(relay)
}

// notBuilt notes which relay a circuit did not get to: the exit answers for itself.
func (c *Client) notBuilt(p *circuit) {
	failed := p.path[min(len(p.tor().Path()), len(p.path)-1)]
	if failed == p.terms.Relay {
		c.noteFailed(failed)
		return
	}
	c.avoid(failed)
}

// avoid has no circuit go through a relay for a while, spares that are ready
// included.
func (c *Client) avoid(relay string) {
	c.mu.Lock()
	c.lately[relay] = c.cfg.Now()
	c.mu.Unlock()
	c.pool.discard(func(p *circuit) bool { return slices.Contains(p.path, relay) })
}

// failedLately lists the relays to avoid.
func (c *Client) failedLately() (relays []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for relay, at := range c.lately {
		if c.cfg.Now().Sub(at) < avoidFor {
			relays = append(relays, relay)
		} else {
			delete(c.lately, relay)
		}
	}
	return relays
}

// lost takes a circuit that failed from its key, so that new connections get another
// one, through another exit if there is one. Connections that are open on it go on, if
// it is not dead.
func (c *Client) lost(p *circuit, why error) {
	dead := errors.Is(why, errNoLife)
	p.mu.Lock()
	known := p.left || p.failed && (p.dead || !dead)
	p.failed, p.dead = true, p.dead || dead
	p.mu.Unlock()
	if known {
		return
	}
	c.noteFailed(p.terms.Relay)
	c.pool.drop(p)
	c.failed(fmt.Errorf("circuit %s is left: %w", p.tor().ID, why))
	if dead {
		_ = c.spawn(func(ctx context.Context) { p.leave(context.WithoutCancel(ctx), paystream.ReasonQuality) })
	}
}

// renew gives the key of a circuit another one, whose pay stream begins before the
// old one ends. If that fails the old one stays, as long as somebody uses it.
func (c *Client) renew(ctx context.Context, p *circuit) {
	if err := c.pool.renew(ctx, p); err != nil {
		if ctx.Err() == nil {
			c.failed(fmt.Errorf("another circuit in the place of %s: %w", p.tor().ID, err))
		}
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = true
}

// newIdentities hears of SIGNAL NEWNYM, whichever controller sent it.
type newIdentities struct{ c *Client }

func (newIdentities) Events() []string                           { return []string{"SIGNAL"} }
func (newIdentities) Connected(context.Context, *tor.Conn) error { return nil }
func (newIdentities) Disconnected(error)                         {}
func (n newIdentities) Event(_ context.Context, e controlspec.Reply) {
	if signal, err := controlspec.ParseSignal(e.Lines[0].Text); err == nil && signal == "NEWNYM" {
		n.c.pool.newIdentity()
	}
}
