package gateway

import (
	"container/list"
	"sync"
)

// room holds every connection, and says who goes when there are too many: those
// that have shown no pay stream and those whose pay stream has paid nothing yet,
// the oldest first. One that is paid for goes for nobody, or strangers could have
// the relay to themselves for nothing.
type room struct {
	maxFresh, max int

	mu        sync.Mutex
	conns     map[*conn]place
	fresh     list.List // of *conn that have shown no pay stream
	newcomers list.List // of those that have; who has paid meanwhile is found out when it is its turn to go
}

// place is where a connection stands, nowhere if it is known to be paid for.
type place struct {
	in *list.List
	at *list.Element
}

func newRoom(maxFresh, all int) room {
	return room{maxFresh: maxFresh, max: all, conns: make(map[*conn]place)}
}

// enter takes a connection in, and makes room for it. When all others are paid
// for it goes itself.
func (r *room) enter(c *conn, freeBytes func() int64, refuse func(Refusal)) {
	r.mu.Lock()
	r.standLocked(c, &r.fresh)
	fresh, full := r.fresh.Len() > r.maxFresh, len(r.conns) > r.max
	r.mu.Unlock()
	if !fresh && !full {
		return
	}
	free := freeBytes() // asks the payee: under no lock
	r.mu.Lock()
	defer r.mu.Unlock()
	if !fresh {
		for e := r.newcomers.Front(); e != nil; e = r.newcomers.Front() {
			oldest := e.Value.(*conn)
			r.standLocked(oldest, nil)
			if m := oldest.meter.Load(); m == nil || !m.paid(func() int64 { return free }) {
				oldest.cut()
				refuse(RefusedRoom)
				return
			}
		}
	}
	if e := r.fresh.Front(); e != nil {
		oldest := e.Value.(*conn)
		r.standLocked(oldest, nil)
		oldest.cut()
		refuse(RefusedRoom)
	}
}

// standLocked gives the connection a place at the end of a list, or none.
func (r *room) standLocked(c *conn, in *list.List) {
	if p := r.conns[c]; p.in != nil {
		p.in.Remove(p.at)
	}
	p := place{in: in}
	if in != nil {
		p.at = in.PushBack(c)
	}
	r.conns[c] = p
}

// welcome is for a connection that has shown a pay stream.
func (r *room) welcome(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, here := r.conns[c]; here && p.in != &r.newcomers {
		r.standLocked(c, &r.newcomers)
	}
}

func (r *room) leave(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.standLocked(c, nil)
	delete(r.conns, c)
}

func (r *room) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

func (r *room) cutAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.cut()
	}
}
