package client

import (
	"context"
	"sync"
	"testing"
	"time"
)

// While a pay stream is opened a relay may change its terms, and be asked for a sign
// of life. The race detector watches.
func TestTermsChangeWhileTheGatewayIsDialled(t *testing.T) {
	f := newFakeTor(t, fakeRelay{rateMsat: 1000})
	c, end := clientOf(t, f, nil)
	defer end()
	p := paidCircuit(t, c, f)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var dials sync.WaitGroup
	dials.Go(func() {
		for range 100 {
			if conn, err := p.dial(ctx); err == nil {
				t.Error("a fake tor has no SocksPort")
				conn.Close()
			}
		}
	})
	for i := range 100 {
		changed := p.terms
		changed.RateMsat = int64(1000 + i)
		if err := p.take(ctx, changed); err != nil {
			t.Fatal(err)
		}
	}
	dials.Wait()
	if p.terms.RateMsat != 1099 {
		t.Errorf("the terms are %v", p.terms)
	}
}
