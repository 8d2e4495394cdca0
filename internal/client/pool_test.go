package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/el-tor/tops/paystream"
)

// fakeCircuit is a member of a pool.
type fakeCircuit struct {
	id      int
	lasts   bool
	begins  func() error
	begun   atomic.Bool
	retired atomic.Bool
	dead    atomic.Bool
}

func (f *fakeCircuit) usable() bool { return !f.retired.Load() && !f.dead.Load() }
func (f *fakeCircuit) stable() bool { return f.lasts }
func (f *fakeCircuit) retire()      { f.retired.Store(true) }
func (f *fakeCircuit) begin(ctx context.Context) error {
	select {
	case <-time.After(300 * time.Millisecond): // a round trip
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.begins != nil {
		if err := f.begins(); err != nil {
			return err
		}
	}
	f.begun.Store(true)
	return nil
}

// poolWorld is a pool, and all circuits that it ever had.
type poolWorld struct {
	*pool[*fakeCircuit]
	mu     sync.Mutex
	all    []*fakeCircuit
	begins func() error // of circuits to come
	fails  error        // of building
	tries  int          // to build one

	lasting bool // there are stable relays
}

const buildTakes = time.Second

// inPool runs a test with a running pool in a bubble.
func inPool(t *testing.T, most int, f func(*testing.T, *poolWorld)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		w := &poolWorld{pool: newPool[*fakeCircuit](most, time.Now)}
		w.spawn = func(f func(context.Context)) error { wg.Go(func() { f(ctx) }); return nil }
		w.build = func(ctx context.Context, stable bool) (*fakeCircuit, error) {
			select {
			case <-time.After(buildTakes):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.tries++
			if w.fails != nil {
				return nil, w.fails
			}
			c := &fakeCircuit{id: len(w.all), begins: w.begins, lasts: stable && w.lasting}
			w.all = append(w.all, c)
			return c, nil
		}
		wg.Go(func() { w.run(ctx) })
		f(t, w)
		cancel()
		wg.Wait()
	})
}

func (w *poolWorld) mustGet(t *testing.T, key string) *fakeCircuit {
	t.Helper()
	c, err := w.get(t.Context(), isolation{user: key}, false)
	if err != nil {
		t.Fatal(err)
	}
	if !c.usable() || !c.begun.Load() {
		t.Fatalf("circuit %d is given out and cannot be used", c.id)
	}
	return c
}

// set changes what becomes of circuits to come.
func (w *poolWorld) set(begins func() error, fails error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begins, w.fails = begins, fails
}

// built is every circuit so far.
func (w *poolWorld) built() []*fakeCircuit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.all)
}

// spare is how many circuits wait unpaid.
func (w *poolWorld) spare() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.all {
		if c.usable() && !c.begun.Load() {
			n++
		}
	}
	return n
}

func TestPoolKeepsKeysApart(t *testing.T) {
	inPool(t, 2, func(t *testing.T, w *poolWorld) {
		owner := make(map[*fakeCircuit]string)
		for range 3 {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for i := range 60 {
				wg.Go(func() {
					key := fmt.Sprintf("user %d", i%12)
					c := w.mustGet(t, key)
					mu.Lock()
					defer mu.Unlock()
					if o, ok := owner[c]; ok && o != key {
						t.Errorf("circuit %d serves %q and %q", c.id, o, key)
					}
					owner[c] = key
				})
			}
			wg.Wait()
			time.Sleep(time.Minute)
		}
		if len(owner) != 12 {
			t.Errorf("12 keys used %d circuits: connections of one key share one", len(owner))
		}
	})
}

func TestPoolIsReadyBeforeItIsNeeded(t *testing.T) {
	inPool(t, 3, func(t *testing.T, w *poolWorld) {
		time.Sleep(2 * time.Second)
		if n := w.spare(); n != 1 {
			t.Errorf("%d spares at the start, want 1", n)
		}
		begin := time.Now()
		w.mustGet(t, "a")
		if took := time.Since(begin); took >= buildTakes {
			t.Errorf("the first connection waited %v, as if nothing had been ready", took)
		}
		w.mustGet(t, "b")
		w.mustGet(t, "c")
		w.mustGet(t, "d")
		time.Sleep(10 * time.Second)
		if n := w.spare(); n != 3 {
			t.Errorf("%d spares while new keys come, want 3", n)
		}
		time.Sleep(10 * time.Minute)
		if n := w.spare(); n != 1 {
			t.Errorf("%d spares when no new key has come for minutes, want 1", n)
		}
		time.Sleep(time.Hour)
		if n := w.spare(); n != 0 {
			t.Errorf("%d spares when nobody has come for an hour, want none", n)
		}
		w.mustGet(t, "a")
		if a := w.built()[0]; !a.usable() {
			t.Error("a circuit in use was retired because nobody came")
		}
	})
}

func TestPoolReplacesWhatFails(t *testing.T) {
	inPool(t, 1, func(t *testing.T, w *poolWorld) {
		first := w.mustGet(t, "a")
		time.Sleep(5 * time.Second)
		first.dead.Store(true)
		begin := time.Now()
		second := w.mustGet(t, "a")
		if took := time.Since(begin); second == first || took >= buildTakes {
			t.Errorf("a dead circuit was replaced in %v", took)
		}
		if !first.retired.Load() {
			t.Error("the dead circuit was kept")
		}
		w.drop(second)
		if third := w.mustGet(t, "a"); third == second || !second.retired.Load() {
			t.Error("a circuit that was dropped is given out again")
		}
		// A circuit that cannot be begun is followed by another.
		time.Sleep(time.Minute)
		tries := 0
		w.set(func() error {
			if tries++; tries < 2 {
				return errors.New("refused")
			}
			return nil
		}, nil)
		w.take(false) // one that would begin
		w.mustGet(t, "b")
		if tries != 2 {
			t.Errorf("%d circuits were begun, want 2", tries)
		}
	})
}

// Who needs a stable circuit gets one, and the key keeps it for all.
func TestPoolStable(t *testing.T) {
	get := func(t *testing.T, w *poolWorld, stable bool) *fakeCircuit {
		t.Helper()
		c, err := w.get(t.Context(), isolation{user: "a"}, stable)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	inPool(t, 1, func(t *testing.T, w *poolWorld) {
		w.lasting = true
		time.Sleep(5 * time.Second)
		web := get(t, w, false)
		ssh := get(t, w, true)
		if ssh == web || !ssh.lasts || !web.retired.Load() {
			t.Errorf("circuit %d, stable %v, after %d: want a stable one in its place", ssh.id, ssh.lasts, web.id)
		}
		if again := get(t, w, false); again != ssh {
			t.Error("the key has two circuits")
		}
		// Two who come at once share one, and it is stable.
		w.newIdentity()
		var one, two *fakeCircuit
		var wg sync.WaitGroup
		wg.Go(func() { one = get(t, w, false) })
		wg.Go(func() { two = get(t, w, true) })
		wg.Wait()
		if last := get(t, w, true); last != two || !two.lasts || one != two && !one.retired.Load() {
			t.Errorf("circuits %d and %d, then %d", one.id, two.id, last.id)
		}
	})
	inPool(t, 0, func(t *testing.T, w *poolWorld) { // no relay is stable
		if one := get(t, w, true); get(t, w, true) != one {
			t.Error("where no relay is stable each connection gets a circuit of its own")
		}
	})
}

func TestPoolDiscardsSparesLikeOneThatFailed(t *testing.T) {
	inPool(t, 1, func(t *testing.T, w *poolWorld) {
		time.Sleep(5 * time.Second)
		bad := w.built()[0]
		w.discard(func(c *fakeCircuit) bool { return c == bad })
		if c := w.mustGet(t, "a"); c == bad || !bad.retired.Load() {
			t.Error("a spare through an exit that failed is given out")
		}
	})
}

func TestPoolSaysWhyThereIsNone(t *testing.T) {
	over := &paystream.Refusal{Reason: paystream.ReasonBudget}
	inPool(t, 0, func(t *testing.T, w *poolWorld) {
		begun := 0
		w.set(func() error { begun++; return over }, nil)
		if _, err := w.get(t.Context(), isolation{}, false); !errors.Is(err, over) || begun != 1 {
			t.Errorf("%v after %d circuits, want the budget's refusal after one: no other would change it", err, begun)
		}
		no := errors.New("tor says no")
		w.set(nil, no)
		if _, err := w.get(t.Context(), isolation{}, false); !errors.Is(err, no) {
			t.Errorf("%v, want tor's word", err)
		}
		w.set(nil, nil)
		w.mustGet(t, "")
	})
}

func TestPoolDoesNotInsist(t *testing.T) {
	inPool(t, 2, func(t *testing.T, w *poolWorld) {
		begin := time.Now()
		w.set(nil, errors.New("no"))
		time.Sleep(10 * time.Minute)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.tries < 5 || w.tries > 25 {
			t.Errorf("%d attempts to build a spare in %v", w.tries, time.Since(begin))
		}
	})
}

func TestNewIdentity(t *testing.T) {
	inPool(t, 2, func(t *testing.T, w *poolWorld) {
		a, b := w.mustGet(t, "a"), w.mustGet(t, "b")
		time.Sleep(10 * time.Second)
		old := w.built()
		// One connection waits for its circuit while NEWNYM comes.
		var late *fakeCircuit
		var wg sync.WaitGroup
		wg.Go(func() { late = w.mustGet(t, "c") })
		time.Sleep(100 * time.Millisecond)
		w.newIdentity()
		wg.Wait()
		for _, c := range []*fakeCircuit{late, w.mustGet(t, "a"), w.mustGet(t, "b")} {
			if c.id < len(old) {
				t.Errorf("circuit %d was built before the new identity and is used after it", c.id)
			}
		}
		synctest.Wait()
		for _, c := range old {
			if !c.retired.Load() {
				t.Errorf("circuit %d is kept beyond the new identity", c.id)
			}
		}
		if a == b {
			t.Error("two keys shared a circuit")
		}
	})
}

func TestRenew(t *testing.T) {
	inPool(t, 1, func(t *testing.T, w *poolWorld) {
		old := w.mustGet(t, "a")
		time.Sleep(5 * time.Second)
		done := make(chan error, 1)
		go func() { done <- w.renew(t.Context(), old) }()
		if c := w.mustGet(t, "a"); c != old {
			t.Error("the old circuit is not used while the new one begins")
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if c := w.mustGet(t, "a"); c == old {
			t.Error("the old circuit is used on")
		}
		if old.retired.Load() {
			t.Error("the old circuit is ended: its connections go on")
		}
	})
}
