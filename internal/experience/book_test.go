package experience

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

const halfLife = 3 * 24 * time.Hour

func testBook(t *testing.T, path string) *Book {
	t.Helper()
	b, err := Open(path, Options{HalfLife: halfLife, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6*max(1, math.Abs(b)) }

func TestDecay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := testBook(t, filepath.Join(t.TempDir(), "book"))
		b.GoodRound("A")
		b.Goodput("A", 4<<20, 2*time.Second)
		b.FirstByte("A", 300*time.Millisecond)
		time.Sleep(halfLife)
		s := b.Score("A")
		if !near(s.Good, 0.5) || s.Goodput() != 2<<20 || s.FirstByte() != 300*time.Millisecond {
			t.Errorf("after a half-life: %+v, goodput %d, first byte %v", s, s.Goodput(), s.FirstByte())
		}
		b.BadRound("A")
		time.Sleep(halfLife)
		if s := b.Score("A"); !near(s.Good, 0.25) || !near(s.Bad, 0.5) {
			t.Errorf("after another: %+v", s)
		}
	})
}

func TestSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "book")
		b := testBook(t, path)
		if err := b.Save(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Error("a book without a line in it was written")
		}
		time.Sleep(time.Hour)
		b.GoodRound("A")
		time.Sleep(17 * time.Minute)
		b.BuildFailed("B")
		before := b.Judge()
		if err := b.Save(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info.Mode(), err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "T"); n != 1 || strings.Contains(string(text), ":17:") {
			t.Errorf("the file tells when relays were used:\n%s", text)
		}
		after := testBook(t, path).Judge()
		for _, relay := range []string{"A", "B", "C"} {
			if math.Abs(after(relay)-before(relay)) > 0.01 {
				t.Errorf("%s: %v, saved and read %v", relay, before(relay), after(relay))
			}
		}
	})
}

// Run writes every ten minutes at most, and at the end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "book")
		b := testBook(t, path)
		done := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())

		go func() {
			defer close(done)
			b.Run(ctx, func(err error) { t.Error(err) })
		}()
		for range 100 {
			b.GoodRound("A")
		}
		synctest.Wait()
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Error("written at every event")
		}
		time.Sleep(saveEvery + time.Second)
		if got := testBook(t, path).Score("A").Good; got < 99 {
			t.Errorf("%v rounds were saved", got)
		}
		b.GoodRound("B")
		cancel()
		<-done
		if got := testBook(t, path).Score("B").Good; got < 0.9 {
			t.Error("the last was not saved")
		}
	})
}

func TestBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book")
	b := testBook(t, path)
	b.GoodRound("KEPT")
	b.GoodRound("KEPT")
	for i := range 3 * maxRelays {
		b.GoodRound(fmt.Sprint(i))
	}
	if err := b.Save(); err != nil {
		t.Fatal(err)
	}
	if n := len(b.relays); n != maxRelays {
		t.Errorf("%d relays are remembered, want %d", n, maxRelays)
	}
	if b.Score("KEPT").Good < 1 {
		t.Error("what counts most was forgotten")
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 1<<20 {
		t.Errorf("%v, %v", info.Size(), err)
	}
}

func TestBadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{HalfLife: time.Hour, Now: time.Now}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken file: %v", err)
	}
	text, _ := json.Marshal(file{At: time.Now(), Relays: map[string]Score{"A": {Good: -5}, "B": {Good: 5}}})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b := testBook(t, path)
	if b.Score("A").Good != 0 || b.Score("B").Good < 4.9 {
		t.Errorf("%+v, %+v", b.Score("A"), b.Score("B"))
	}
}

func TestJudge(t *testing.T) {
	b := New("", Options{HalfLife: halfLife, Now: time.Now})
	for range 10 {
		b.GoodRound("fast")
		b.GoodRound("middling")
		b.GoodRound("slow")
		b.BadRound("bad")
		b.BuildFailed("dead")
	}
	for relay, rate := range map[string]int64{"fast": 4 << 20, "middling": 1 << 20, "slow": 64 << 10} {
		b.Goodput(relay, 20*rate, 20*time.Second)
	}
	judge := b.Judge()
	order := []string{"fast", "middling", "slow", "bad"}
	for i, relay := range order[1:] {
		if judge(order[i]) <= judge(relay) {
			t.Errorf("%s weighs %v, %s %v", order[i], judge(order[i]), relay, judge(relay))
		}
	}
	if !near(judge("bad"), judge("dead")) || judge("bad") > 0.05 || judge("unheard of") != 1 {
		t.Errorf("bad %v, dead %v, unknown %v", judge("bad"), judge("dead"), judge("unheard of"))
	}
}

// Whatever is noted, a weight is positive and bounded, a bad round never raises
// it, and a good one never lowers it.
func TestJudgeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_700_000_000, 0)
		b := New("", Options{HalfLife: halfLife, Now: func() time.Time { return now }})
		relay := rapid.SampledFrom([]string{"A", "B", "C"})
		t.Repeat(map[string]func(*rapid.T){
			"good": func(t *rapid.T) {
				r := relay.Draw(t, "relay")
				before := b.Judge()(r)
				b.GoodRound(r)
				if after := b.Judge()(r); after < before-1e-9 {
					t.Fatalf("a good round lowered %v to %v", before, after)
				}
			},
			"bad": func(t *rapid.T) {
				r := relay.Draw(t, "relay")
				before := b.Judge()(r)
				b.BadRound(r)
				if after := b.Judge()(r); after > before+1e-9 {
					t.Fatalf("a bad round raised %v to %v", before, after)
				}
			},
			"failed": func(t *rapid.T) { b.BuildFailed(relay.Draw(t, "relay")) },
			"goodput": func(t *rapid.T) {
				b.Goodput(relay.Draw(t, "relay"), rapid.Int64Range(-1, 1<<40).Draw(t, "bytes"), time.Duration(rapid.Int64Range(-1, 1<<50).Draw(t, "waited")))
			},
			"first byte": func(t *rapid.T) {
				b.FirstByte(relay.Draw(t, "relay"), time.Duration(rapid.Int64Range(-1, 1<<45).Draw(t, "took")))
			},
			"time": func(*rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), 1<<52).Draw(t, "passes")))
			},
			"": func(t *rapid.T) {
				for _, r := range []string{"A", "B", "C"} {
					if w := b.Judge()(r); !(w >= leastReliable*slowest*slowest && w <= fastest*fastest) {
						t.Fatalf("%s weighs %v", r, w)
					}
				}
			},
		})
	})
}
