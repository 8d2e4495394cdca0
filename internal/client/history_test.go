package client

import (
	"testing"
	"time"

	"github.com/el-tor/tops/policies"
)

func TestUsualPace(t *testing.T) {
	var h history
	const none = policies.UnknownGoodput
	for i, g := range []int64{100, 300, 200} {
		h.note(uint64(i), policies.Pace{Goodput: g, FirstByte: time.Duration(g) * time.Millisecond})
	}
	if got := h.usual(99); got != (policies.Pace{Goodput: none}) {
		t.Errorf("three circuits make %+v usual, want nothing", got)
	}
	h.note(3, policies.Pace{Goodput: 900})
	h.note(4, policies.Pace{Goodput: none}) // shows nothing
	if got := h.usual(99); got != (policies.Pace{Goodput: 200}) {
		t.Errorf("usual is %+v, want the median of four goodputs and no first byte", got)
	}
	if got := h.usual(3); got.Goodput != none {
		t.Errorf("without itself a circuit is held against %+v, want nothing", got)
	}
	h.note(0, policies.Pace{Goodput: 1000}) // the latest of a circuit counts
	if got := h.usual(99); got.Goodput != 300 {
		t.Errorf("usual is %+v, want a goodput of 300", got)
	}
	for i := range uint64(1000) {
		h.note(100+i, policies.Pace{Goodput: 7})
	}
	if got := h.usual(1); got.Goodput != 7 || len(h.recent) > maxRecent {
		t.Errorf("%+v of %d circuits, want the recent ones alone", got, len(h.recent))
	}
}
