//go:build world

package e2e_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
)

// A browser fetches many small files at once and notes how each ended.
type browser struct {
	wg   sync.WaitGroup
	stop context.CancelFunc

	mu      sync.Mutex
	good    []time.Time // when each that was whole ended
	broken  []error     // after a first byte
	refused []error     // without any
}

func (w *apps) browser(t *testing.T, users ...string) *browser {
	ctx, cancel := context.WithCancel(t.Context())
	b := &browser{stop: cancel}
	for _, user := range users {
		for range 4 {
			b.wg.Go(func() {
				for ctx.Err() == nil {
					b.note(ctx, fetch(ctx, user, 20_000))
				}
			})
		}
	}
	t.Cleanup(b.end)
	return b
}

func (b *browser) note(ctx context.Context, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case err == nil:
		b.good = append(b.good, time.Now())
	case errors.Is(err, errBroken):
		b.broken = append(b.broken, err)
	default:
		b.refused = append(b.refused, err)
	}
}

func (b *browser) end() { b.stop(); b.wg.Wait() }

// after is how many files were whole later than a moment.
func (b *browser) after(at time.Time) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.good {
		if g.After(at) {
			n++
		}
	}
	return n
}

// exitStops takes away the exit under running downloads in a way that nobody notices:
// its tor is stopped. Only what was under way there breaks, and the app sees nothing of
// the rest.
func (w *apps) exitStops(t *testing.T) {
	w.oneExitDies(t, 12*time.Second, func(exit *testnet.Node) error {
		pid := exit.Pid()
		t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
		return syscall.Kill(pid, syscall.SIGSTOP)
	})
}

// exitDies kills it, which its neighbours notice. It is the last scene, since a relay
// does not connect for a minute to one where that has failed.
func (w *apps) exitDies(t *testing.T) {
	w.setTerms(t, nil)
	w.browse(t, nil)
	w.oneExitDies(t, 6*time.Second, (*testnet.Node).Kill)
}

// oneExitDies takes an exit away; most is how long it may take until files come through
// another one.
func (w *apps) oneExitDies(t *testing.T, most time.Duration, take func(*testnet.Node) error) {
	browsing := w.browser(t, "tab 1", "tab 2")
	until(t, "files to come", 30*time.Second, func() bool { return browsing.after(time.Time{}) > 20 })
	victim := w.exitInUse(t)

	// Every other exit carries a long download, of a controller's circuit.
	others := make(map[*testnet.Node]*download)
	c := w.controller(t)
	for _, e := range w.exits {
		if e != victim {
			others[e] = startDownload(t, c.extend(t, w.pathTo(e)))
		}
	}
	circuits := w.usersOf(t)
	onVictim := 0
	for _, relay := range circuits {
		if relay == victim.Fingerprint {
			onVictim++
		}
	}
	at := time.Now()
	if err := take(victim); err != nil {
		t.Fatal(err)
	}
	until(t, "files to come through another exit", most, func() bool { return browsing.after(at.Add(200*time.Millisecond)) > 30 },
		func() string { return w.log.String() })
	browsing.mu.Lock()
	slices.SortFunc(browsing.good, time.Time.Compare)
	gap := time.Duration(0)
	for i := 1; i < len(browsing.good); i++ {
		if g := browsing.good[i].Sub(browsing.good[i-1]); browsing.good[i].After(at) {
			gap = max(gap, g)
		}
	}
	t.Logf("%d circuits were at the exit; %d files whole, %d broken in the middle, %d refused; the longest pause was %v",
		onVictim, len(browsing.good), len(browsing.broken), len(browsing.refused), gap.Round(time.Millisecond))
	if len(browsing.refused) > 0 {
		t.Errorf("connections that had no byte yet were to move unseen: %v", browsing.refused)
	}
	if n := len(browsing.broken); n > 8 {
		t.Errorf("%d connections broke, and 8 at most were open: %v", n, browsing.broken)
	}
	browsing.mu.Unlock()
	for e, d := range others {
		if d.ended() {
			t.Errorf("the download through %s, which lives, has ended: %v", e.Name, d.err)
		} else {
			d.goesOn(t)
		}
	}
	browsing.end()
}

// exitInUse is the exit of a circuit that apps use.
func (w *apps) exitInUse(t *testing.T) *testnet.Node {
	t.Helper()
	for _, relay := range w.usersOf(t) {
		for _, e := range w.exits {
			if e.Fingerprint == relay {
				return e
			}
		}
	}
	t.Fatal("no circuit is in use")
	return nil
}
