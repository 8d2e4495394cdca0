package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/el-tor/tops/internal/socks"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"golang.org/x/net/proxy"
)

// Cap is why apps' connections are not paid for just now.
type Cap struct {
	Since  time.Time        `json:"since"`
	Reason paystream.Reason `json:"reason"` // BUDGET, POLICY, FEE, TERMS, WALLET
	Text   string           `json:"text"`
	Free   bool             `json:"free"` // they go through tor's ordinary circuits meanwhile; else they are refused
}

// atCap notes why a circuit could not be paid for, says so once, and reports whether
// the connection shall go without. Other failures, tor's for instance, are no cap: an
// ordinary circuit would fail as well.
func (c *Client) atCap(err error) (free bool) {
	var no *paystream.Refusal
	switch {
	case errors.As(err, &no):
	case errors.Is(err, policies.ErrNoTerms):
		no = &paystream.Refusal{Reason: paystream.ReasonTerms, Err: err}
	default:
		return false
	}
	free = c.policy.Otherwise == policies.Free
	now := c.cfg.Now()
	c.mu.Lock()
	news := c.cap == nil || c.cap.Reason != no.Reason
	if news {
		c.cap = &Cap{Since: now, Reason: no.Reason, Text: no.Error(), Free: free}
	}
	if news = news && (c.toldCap.Reason != no.Reason || now.Sub(c.toldCap.Since) >= capQuiet); news {
		c.toldCap = Cap{Since: now, Reason: no.Reason}
	}
	c.mu.Unlock()
	if !news {
		return free
	}
	what := "connections are refused (client.at_cap)"
	if free {
		what = "connections go through tor's ordinary circuits, unpaid (client.at_cap)"
	}
	c.failed(fmt.Errorf("%s: %w", what, err))
	c.tell(paystream.Event{Handle: noHandle, Status: paystream.StatusRefused, Circuit: "0", Relay: noRelay, Reason: no.Reason, At: c.cfg.Now()})
	return free
}

// The handle and the relay of an event that concerns no pay stream: none was begun.
const (
	noHandle paystream.Handle = "0000000000000000"
	noRelay  string           = "0000000000000000000000000000000000000000"
)

// capQuiet is for how long the same cap is told of no second time, however often it is
// lifted meanwhile: at the end of a budget each payment that was held and comes back lifts it.
const capQuiet = 10 * time.Minute

// capLifted notes that circuits are paid for again.
func (c *Client) capLifted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cap = nil
}

// AtCap says why apps' connections are not paid for now; false if they are.
func (c *Client) AtCap() (Cap, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cap == nil {
		return Cap{}, false
	}
	return *c.cap, true
}

// connectFree leaves a connection to tor. The app's user name and password go along,
// so that tor keeps apart what the app wants kept apart.
func (c *Client) connectFree(ctx context.Context, r socks.Request) (net.Conn, error) {
	var auth *proxy.Auth
	if r.User != "" || r.Password != "" {
		auth = &proxy.Auth{User: r.User, Password: r.Password}
	}
	return c.throughTor(ctx, auth, r.Target())
}
