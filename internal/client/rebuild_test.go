package client

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// paidCircuit is a circuit along the first exit's path, with a pay stream that runs.
func paidCircuit(t *testing.T, c *Client, f *fakeTor) *circuit {
	t.Helper()
	var run sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	run.Go(func() { _ = c.Payer.Run(ctx) })
	t.Cleanup(func() { cancel(); run.Wait() })
	path := []string{f.relays[0].fingerprint, f.relays[1].fingerprint, f.relays[3].fingerprint}
	tc, err := c.circuits.Build(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	r := &purse{terms: policies.DefaultTerms(path[2], policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.AddrPortFrom(f.relays[3].addr, 9402))}
	p := c.follow(tc, path, r.terms, false, "", nil)
	h, err := c.Open(t.Context(), paystream.OpenRequest{Terms: r.terms, Link: r, Circuit: tc.ID, Path: path, Hop: 3})
	if err != nil {
		t.Fatal(err)
	}
	p.use(h, time.Now())
	return p
}

// A circuit that is left while tor builds another in its place stays left.
func TestLeftWhileItIsRebuilt(t *testing.T) {
	f := newFakeTor(t, fakeRelay{rateMsat: 1000})
	c, end := clientOf(t, f, nil)
	defer end()
	p := paidCircuit(t, c, f)
	f.hold(true)
	f.say(func() string { return f.endLocked(p.tor().ID, "CLOSED", "DESTROYED") })
	<-p.tor().Done()
	f.asked()
	done := make(chan error, 1)
	go func() { done <- p.rebuild(context.Background()) }()
	eventually(t, "another circuit is asked for", func() bool { return slices.Equal(f.asked(), []string{p.terms.Relay}) })
	p.leave(t.Context(), paystream.ReasonClient)
	f.say(func() string { return f.builtLocked("2") })
	if err := <-done; err == nil {
		t.Error("it goes on, and was left")
	}
	if n, listed := f.open(), c.list(); n > 0 || len(listed) > 0 {
		t.Errorf("%d circuits of tor's are left, and %d of ours", n, len(listed))
	}
}

// What a circuit may cost holds for the one that is built in its place too.
func TestRebuiltKeepsItsLimit(t *testing.T) {
	f := newFakeTor(t, fakeRelay{rateMsat: 1000})
	c, end := clientOf(t, f, func(cfg *config.Client) { cfg.MaxCircuitMsat = 20_000 })
	defer end()
	p := paidCircuit(t, c, f)
	spend := policies.Spend{Circuit: p.tor().ID, Key: "a round"}
	if err := c.budget.Hold(time.Now(), spend, 15_000); err != nil {
		t.Fatal(err)
	}
	f.say(func() string { return f.endLocked(p.tor().ID, "CLOSED", "DESTROYED") })
	<-p.tor().Done()
	if err := p.rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	over := c.budget.Hold(time.Now(), policies.Spend{Circuit: p.tor().ID, Key: "the next"}, 6_000)
	another := c.budget.Hold(time.Now(), policies.Spend{Circuit: spend.Circuit, Key: "another's"}, 6_000)
	if over == nil || another != nil {
		t.Errorf("above the limit: %v; on another circuit that tor gives the number: %v", over, another)
	}
	p.leave(t.Context(), paystream.ReasonClient)
}
