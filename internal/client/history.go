package client

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/el-tor/tops/policies"
)

// history is the pace of this client's recent circuits, from which it knows what is
// usual here.
type history struct {
	mu     sync.Mutex
	recent []remembered // the one noted last comes last
}

type remembered struct {
	circuit uint64
	policies.Pace
}

const (
	maxRecent = 32
	minRecent = 4 // fewer circuits show nothing usual
)

// note enters the latest pace of a circuit.
func (h *history) note(circuit uint64, pace policies.Pace) {
	if pace.Goodput == policies.UnknownGoodput && pace.FirstByte == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recent = slices.DeleteFunc(h.recent, func(r remembered) bool { return r.circuit == circuit })
	h.recent = append(h.recent, remembered{circuit, pace})
	if len(h.recent) > maxRecent {
		h.recent = slices.Delete(h.recent, 0, 1)
	}
}

// usual is the median pace of the circuits other than this one. What too few of them
// have shown is unknown.
func (h *history) usual(but uint64) policies.Pace {
	h.mu.Lock()
	defer h.mu.Unlock()
	var goodput []int64
	var first []time.Duration
	for _, r := range h.recent {
		if r.circuit == but {
			continue
		}
		if r.Goodput != policies.UnknownGoodput {
			goodput = append(goodput, r.Goodput)
		}
		if r.FirstByte > 0 {
			first = append(first, r.FirstByte)
		}
	}
	pace := policies.Pace{Goodput: policies.UnknownGoodput}
	if len(goodput) >= minRecent {
		pace.Goodput = median(goodput)
	}
	if len(first) >= minRecent {
		pace.FirstByte = median(first)
	}
	return pace
}

// median is the middle one, the lower of two; it sorts what it is given.
func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[(len(all)-1)/2]
}
