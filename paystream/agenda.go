package paystream

import (
	"container/heap"
	"time"
)

// An agenda is the one timer structure of all pay streams: what is next, and
// when. A heap of pointers costs eight bytes a pay stream and no goroutine.
type agenda[T any, P interface {
	*T
	entry() *appointment
}] struct {
	heap agendaHeap[T, P]
}

// An appointment is a pay stream's place in the agenda. Its zero value is none.
type appointment struct {
	at   time.Time
	slot int // 1-based place in the heap; 0: not in it
}

// set moves p to its new time, or takes it out when at is zero.
func (a *agenda[T, P]) set(p P, at time.Time) {
	e := p.entry()
	if e.slot > 0 && e.at.Equal(at) {
		return
	}
	e.at = at
	switch {
	case at.IsZero() && e.slot > 0:
		heap.Remove(&a.heap, e.slot-1)
	case at.IsZero():
	case e.slot > 0:
		heap.Fix(&a.heap, e.slot-1)
	default:
		heap.Push(&a.heap, p)
	}
}

// next is the earliest appointment; false when there is none.
func (a *agenda[T, P]) next() (P, time.Time, bool) {
	if len(a.heap) == 0 {
		return nil, time.Time{}, false
	}
	return a.heap[0], a.heap[0].entry().at, true
}

type agendaHeap[T any, P interface {
	*T
	entry() *appointment
}] []P

func (h agendaHeap[T, P]) Len() int           { return len(h) }
func (h agendaHeap[T, P]) Less(i, j int) bool { return h[i].entry().at.Before(h[j].entry().at) }
func (h agendaHeap[T, P]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].entry().slot, h[j].entry().slot = i+1, j+1
}
func (h *agendaHeap[T, P]) Push(x any) {
	p := x.(P)
	*h = append(*h, p)
	p.entry().slot = len(*h)
}
func (h *agendaHeap[T, P]) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	p.entry().slot = 0
	return p
}
