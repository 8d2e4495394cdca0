package gateway

import (
	"container/heap"
	"slices"
	"sync"
	"time"
)

// uplink shares a limited rate between pay streams: each that has something to
// send gets the same, what one does not use goes to the others (max-min fairness),
// and however many connections a pay stream has, they share its part.
//
// It is fair queueing by virtual time: a flow's tag says how much it was given,
// and the flow with the lowest tag is next. Every tunnelled byte is counted once,
// whichever way it goes: it enters this machine once and leaves it once.
type uplink struct {
	rate    float64 // bytes a second
	quantum int64   // the most for one turn

	mu     sync.Mutex
	tokens float64 // what may be sent now; below 0 after a turn that was more
	at     time.Time
	served float64 // the tag of the last flow that was served
	queue  flows
	timer  *time.Timer // set while anybody waits
}

// flow is one pay stream's part of the uplink. The uplink's mutex guards it.
type flow struct {
	tag     float64
	waiting []*turn
}

// turn is one connection's wish to send.
type turn struct {
	n     int64
	given chan struct{} // closed when it may
}

// The quantum is a millisecond of the uplink, within these bounds: smaller turns
// cost time, larger ones make the others wait.
const (
	minQuantum = 4 << 10
	maxQuantum = 256 << 10
)

// saved is how many quanta of an unused uplink are kept.
const saved = 20

// catchUp is how many turns a flow may have missed and still get: between two
// chunks a connection is gone for a moment, and one that is alone in its pay stream
// would lose its place to those that come in crowds.
const catchUp = 20

func newUplink(bytesPerSecond int64) *uplink {
	quantum := min(max(bytesPerSecond/1000, minQuantum), maxQuantum)
	return &uplink{rate: float64(bytesPerSecond), quantum: quantum, tokens: float64(quantum), at: time.Now()}
}

// take waits for the flow's turn to send up to n bytes, and returns how many it
// may; 0 when done comes first.
func (u *uplink) take(f *flow, n int64, done <-chan struct{}) int64 {
	n = min(n, u.quantum)
	u.mu.Lock()
	u.refillLocked()
	if len(u.queue) == 0 && u.tokens > 0 {
		u.comeLocked(f)
		u.serveLocked(f, n)
		u.mu.Unlock()
		return n
	}
	t := &turn{n: n, given: make(chan struct{})}
	f.waiting = append(f.waiting, t)
	if len(f.waiting) == 1 {
		u.comeLocked(f)
		heap.Push(&u.queue, f)
	}
	if u.timer == nil {
		u.timer = time.AfterFunc(u.pauseLocked(), u.serve)
	}
	u.mu.Unlock()
	select {
	case <-t.given:
		return n
	case <-done:
		u.giveUp(f, t)
		return 0
	}
}

// comeLocked is the arrival of a flow that did not wait: what it did not use is
// not saved up, but for a few turns. A new one has missed none.
func (u *uplink) comeLocked(f *flow) {
	if f.tag == 0 {
		f.tag = u.served
	}
	f.tag = max(f.tag, u.served-catchUp*float64(u.quantum))
}

func (u *uplink) serveLocked(f *flow, n int64) {
	u.served = max(u.served, f.tag)
	f.tag += float64(n)
	u.tokens -= float64(n)
}

// refillLocked adds what has become free since it was last asked. A few quanta
// are saved up, since timers are late on a busy machine.
func (u *uplink) refillLocked() {
	now := time.Now()
	u.tokens = min(u.tokens+now.Sub(u.at).Seconds()*u.rate, saved*float64(u.quantum))
	u.at = now
}

// pauseLocked is how long until there is something to give.
func (u *uplink) pauseLocked() time.Duration {
	return max(time.Duration((1-u.tokens)/u.rate*float64(time.Second)), 200*time.Microsecond)
}

// serve gives turns for as long as there is something to give.
func (u *uplink) serve() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.refillLocked()
	for u.tokens > 0 && len(u.queue) > 0 {
		f := u.queue[0]
		t := f.waiting[0]
		f.waiting = slices.Delete(f.waiting, 0, 1)
		u.serveLocked(f, t.n)
		if len(f.waiting) == 0 {
			heap.Pop(&u.queue)
		} else {
			heap.Fix(&u.queue, 0)
		}
		close(t.given)
	}
	if len(u.queue) == 0 {
		u.timer = nil
		return
	}
	u.timer.Reset(u.pauseLocked())
}

// giveUp takes back a wish. If it was given meanwhile, nobody is the worse for it.
func (u *uplink) giveUp(f *flow, t *turn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := slices.Index(f.waiting, t)
	if i < 0 {
		return
	}
	f.waiting = slices.Delete(f.waiting, i, i+1)
	if len(f.waiting) == 0 {
		heap.Remove(&u.queue, slices.Index(u.queue, f))
	}
}

// flows is a heap: the lowest tag first.
type flows []*flow

func (q flows) Len() int           { return len(q) }
func (q flows) Less(i, j int) bool { return q[i].tag < q[j].tag }
func (q flows) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *flows) Push(f any)        { *q = append(*q, f.(*flow)) }
func (q *flows) Pop() any {
	last := len(*q) - 1
	f := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return f
}
