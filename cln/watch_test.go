package cln_test

import (
	"context"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
)

// What is wrong is said once, when it begins and when it ends.
func TestWatch(t *testing.T) {
	w := newWorld(t, options{})
	told := make(chan []string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cln.Watch(ctx, w.alice, cln.Need{SpendMsat: 1000}, time.Millisecond, func(_ cln.Health, problems, _ []string) { told <- problems })
	}()
	next := func() []string {
		t.Helper()
		select {
		case p := <-told:
			return p
		case <-time.After(10 * time.Second):
			t.Fatal("nothing is told")
			return nil
		}
	}
	if p := next(); len(p) != 0 {
		t.Errorf("at first %q", p)
	}
	w.outage("alice", true)
	if p := next(); len(p) != 1 {
		t.Errorf("in an outage %q", p)
	}
	w.outage("alice", false)
	if p := next(); len(p) != 0 {
		t.Errorf("after it %q", p)
	}
	cancel()
	<-ended
	if len(told) != 0 {
		t.Errorf("told again: %q", <-told)
	}
}
