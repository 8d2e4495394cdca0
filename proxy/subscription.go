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
	cancels map[string]func() // guarded by mu: by event name
	wake    chan struct{}     // guarded by mu; nil: no goroutine yet
	done    sync.WaitGroup
}

func (u *subscription) any() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.cancels) > 0
}

// set replaces the list of names.
func (u *subscription) set(names []string) {
	want := make(map[string]bool)
	for _, n := range names {
		want[strings.ToUpper(n)] = true
	}
	for name, cancel := range u.drop(want) {
		cancel()
		delete(want, name)
	}
	e := u.session.srv.Engine
	for name := range want {
		if u.has(name) {
			continue
		}
		cancel := func() {}
		switch name {
		case controlspec.EventPayStream:
			cancel = e.Subscribe(func(ev controlspec.PayStreamEvent) { u.post(name, ev.Marshal()) })
		case controlspec.EventReceived:
			if r, ok := e.(Receiver); ok {
				cancel = r.SubscribeReceived(func(ev controlspec.ReceivedEvent) { u.post(name, ev.Marshal()) })
			}
		}
		u.mu.Lock()
		if u.cancels == nil {
			u.cancels = make(map[string]func())
		}
		u.cancels[name] = cancel
		if u.wake == nil {
			u.wake = make(chan struct{}, 1)
			wake := u.wake
			u.done.Go(func() { u.write(wake) })
		}
		u.mu.Unlock()
	}
}

func (u *subscription) has(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.cancels[name] != nil
}

// drop takes out the subscriptions that are not wanted. They are cancelled
// without the lock, since cancel waits for post.
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
	if !s.out.post(controlspec.AppendLine(nil, 650, ' ', text)) {
		s.client.Close()
		s.srv.report(s.ctl, errStalled)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default: // awake already, or nil: set is about to start it
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
