package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
)

// CircuitStatus is a paid circuit as its user sees it.
type CircuitStatus struct {
	ID          string           // tor's
	Path        []string         // fingerprints, the guard first
	PayStream   paystream.Handle // the present one; empty until the relay has accepted it
	RateMsat    int64            // of a round
	Interval    time.Duration    // of it; 0 until the terms are known
	Connections int              // of apps
	Bytes       int64            // of apps, both ways
	Goodput     int64            // bytes a second while somebody waited for bytes, of late; 0: nobody did
}

// Circuits lists the paid circuits, the oldest first.
func (c *Client) Circuits() []CircuitStatus {
	var out []CircuitStatus
	for _, p := range c.list() {
		out = append(out, p.status())
	}
	if c.native != nil {
		out = c.native.figures()
	}
	slices.SortFunc(out, func(a, b CircuitStatus) int {
		return cmp.Or(cmp.Compare(number(a.ID), number(b.ID)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// number is a circuit's id as tor counts them.
func number(id string) int {
	n, _ := strconv.Atoi(id) // ids are numbers in every tor there is
	return n
}

func (p *circuit) status() CircuitStatus {
	st := CircuitStatus{ID: p.tor().ID, Path: p.path, PayStream: p.current(), Bytes: p.bytes.Load()}
	select {
	case <-p.ready:
		st.RateMsat, st.Interval = p.terms.RateMsat, p.terms.Interval // they do not change any more
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	st.Connections = len(p.tunnels)
	bytes, waited := p.quality.since(p.c.cfg.Now().Add(-paceOver))
	if waited >= lookEvery {
		st.Goodput = int64(float64(bytes) / waited.Seconds())
	}
	return st
}

// paceOver is how far back the pace goes that people are shown.
const paceOver = 10 * time.Second

// TorHealth is how the client's tor is.
func (c *Client) TorHealth(ctx context.Context) tor.Health { return c.tor.Health(ctx) }

// RelayName is a relay's nickname in the consensus.
func (c *Client) RelayName(ctx context.Context, fingerprint string) (string, error) {
	text, err := c.tor.Info(ctx, "ns/id/"+fingerprint)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		// r nickname … (dir-spec §3.4.1)
		if words := strings.Fields(line); len(words) > 1 && words[0] == "r" {
			return words[1], nil
		}
	}
	return "", fmt.Errorf("relay %s is not in the consensus", fingerprint)
}
