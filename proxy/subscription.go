package proxy

import (
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
)

// subscription is what one controller hears of ours. A goroutine of its own
// writes the events, so that neither the engine nor tor's replies wait for it.
type subscription struct {
	session *session

	mu      sync.Mutex
	cancels map[string]func() // guarded by mu: by the names of events that are heard
	wake    chan struct{}     // guarded by mu; nil: no goroutine
	done    sync.WaitGroup
}

func (u *subscription) any() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.cancels) > 0
}

// set replaces the list of names, and answers that with reply: behind what the old
// list had heard, before what the new one hears.
func (u *subscription) set(names []string, reply []byte) error {
	want := make(map[string]bool)
	for _, n := range names {
		want[strings.ToUpper(n)] = true
	}
	for _, cancel := range u.drop(want) {
		cancel()
	}
	out := &u.session.out
	out.put(reply)
	for name := range want {
		if u.begin(name) {
			u.keep(name, u.subscribe(name))
		}
	}
	return out.flush()
}

// begin has events of a name heard, if they are not yet.
func (u *subscription) begin(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.cancels[name] != nil {
		return false
	}
	if u.wake == nil {
		u.cancels = make(map[string]func())
		u.wake = make(chan struct{}, 1)
		wake := u.wake
		u.done.Go(func() { u.write(wake) })
	}
	u.cancels[name] = func() {}
	return true
}

func (u *subscription) keep(name string, cancel func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.cancels[name] = cancel
}

func (u *subscription) subscribe(name string) (cancel func()) {
	e := u.session.srv.Engine
	switch name {
	case controlspec.EventPayStream:
		return e.Subscribe(func(ev controlspec.PayStreamEvent) { u.post(name, ev.Marshal()) })
	case controlspec.EventReceived:
		if r, ok := e.(Receiver); ok {
			return r.SubscribeReceived(func(ev controlspec.ReceivedEvent) { u.post(name, ev.Marshal()) })
		}
	}
	return func() {}
}

// drop takes out the subscriptions that are not wanted: nothing of them is heard any
// more. They are cancelled without the lock, which post takes.
func (u *subscription) drop(want map[string]bool) map[string]func() {
	u.mu.Lock()
	defer u.mu.Unlock()
	dropped := make(map[string]func())
	for name, cancel := range u.cancels {
		if !want[name] {
			dropped[name] = cancel
			delete(u.cancels, name)
		}
	}
	return dropped
}

// post is called by the engine and does not block.
func (u *subscription) post(name, text string) {
	s := u.session
	if s.guard != nil && !s.guard.Hears(name) { // any more
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.cancels[name] == nil: // dropped
	case !s.out.post(controlspec.AppendLine(nil, 650, ' ', text)):
		s.client.Close()
		s.srv.report(s.ctl, errStalled)
	default:
		select {
		case u.wake <- struct{}{}:
		default: // awake already
		}
	}
}

func (u *subscription) write(wake chan struct{}) {
	for range wake {
		if u.session.out.flush() != nil {
			u.session.client.Close()
		}
	}
}

// close cancels everything and waits for the writer. The connection must be
// closed or about to take no more.
func (u *subscription) close() {
	for _, cancel := range u.drop(nil) {
		cancel()
	}
	u.mu.Lock()
	if u.wake != nil {
		close(u.wake)
		u.wake = nil
	}
	u.mu.Unlock()
	u.done.Wait()
}
