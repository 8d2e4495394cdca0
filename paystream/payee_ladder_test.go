package paystream_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/el-tor/tops/paystream"
)

func TestLadder(t *testing.T) {
	const free, fee, ahead = paystream.OpenFree, paystream.OpenFee, paystream.OpenAhead
	start := time.Unix(1_900_000_000, 0)
	for name, steps := range map[string][]struct {
		after           time.Duration
		free, newcomers int
		want            paystream.Opening
	}{
		"up by what is free at once": {{0, 99, 0, free}, {0, 100, 0, fee}, {0, 199, 0, fee}, {0, 200, 0, ahead}},
		"up by newcomers":            {{0, 0, 9, free}, {0, 0, 10, fee}, {0, 0, 5000, ahead}},
		"down slowly, rung by rung": {{0, 200, 0, ahead}, {0, 99, 0, ahead}, {59 * time.Second, 99, 0, ahead}, {time.Second, 99, 0, fee},
			{59 * time.Second, 49, 0, fee}, {time.Second, 49, 0, free}},
		"not below what the load needs": {{0, 200, 0, ahead}, {time.Hour, 60, 0, fee}, {time.Hour, 50, 0, fee}, {time.Hour, 49, 0, free}},
		"half of the load keeps the rung": {{0, 100, 0, fee}, {50 * time.Second, 50, 0, fee}, {59 * time.Second, 0, 0, fee},
			{time.Second, 0, 0, free}},
	} {
		told := free
		l := paystream.Ladder{MaxFree: 100, MaxNewcomers: 10, Changed: func(to paystream.Opening) { told = to }}
		now := start
		for i, s := range steps {
			now = now.Add(s.after)
			if got := l.Opening(paystream.Load{Now: now, Free: s.free, Newcomers: s.newcomers}); got != s.want {
				t.Errorf("%s, step %d: %s, want %s", name, i+1, got, s.want)
			} else if told != got {
				t.Errorf("%s, step %d: Changed was told %s last, it is %s", name, i+1, told, got)
			}
		}
	}
	always := paystream.Ladder{MaxFree: 100, MaxNewcomers: 10, AskFee: true}
	if got := always.Opening(paystream.Load{Now: start}); got != fee {
		t.Errorf("a relay that always asks the fee asks: %s", got)
	}
	for _, l := range []paystream.Ladder{{MaxFree: 100}, {MaxNewcomers: 10}} {
		if got := l.Opening(paystream.Load{Now: start}); got != ahead {
			t.Errorf("a relay with nothing free asks: %s", got)
		}
	}
}

// However the load moves: the limits are never passed for nothing, and after a
// climb the ladder stands for a while.
func TestLadderNeverSwings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := paystream.Ladder{MaxFree: rapid.IntRange(1, 50).Draw(t, "max"), MaxNewcomers: 1000}
		now, climbed, last := time.Unix(1_900_000_000, 0), time.Time{}, paystream.OpenFree
		for range 200 {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(30*time.Second)).Draw(t, "pause")))
			n := rapid.IntRange(0, 150).Draw(t, "free")
			got := l.Opening(paystream.Load{Now: now, Free: n})
			if n >= l.MaxFree && got == paystream.OpenFree || n >= 2*l.MaxFree && got < paystream.OpenAhead {
				t.Fatalf("%d free ones where %d may be: asks %s", n, l.MaxFree, got)
			}
			if got > last {
				climbed = now
			}
			if got < last && now.Sub(climbed) < time.Minute {
				t.Fatalf("fell to %s %s after it climbed", got, now.Sub(climbed))
			}
			last = got
		}
	})
}

// The payee's own ladder: so many are free at once and a minute, those that paid
// only a fee count as free riders too, and whoever continues does not.
func TestPayeeCountsFreeRiders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terms := relayTerms()
		terms.FeeMsat = 500
		r := newRelay(t, terms)
		ladder := paystream.Ladder{MaxFree: 3, MaxNewcomers: 1000}
		r.opening = ladder.Opening
		r.start()
		defer r.kill()

		first := r.open()
		r.open()
		r.open()
		if l := r.Load(); l.Free != 3 || l.PayStreams != 3 || l.Newcomers != 3 {
			t.Errorf("load %+v, want 3 free ones, all of them newcomers", l)
		}
		asked := r.newPayer()
		var demand *paystream.Demand
		if _, err := r.Admit(t.Context(), asked.intent); !errors.As(err, &demand) || demand.DueMsat != 500 {
			t.Fatalf("the fourth: %v, want the fee asked", err)
		}
		asked.payMsat(0, 500)
		if _, err := r.Admit(t.Context(), asked.intent); err != nil {
			t.Fatal(err)
		}
		if l := r.Load(); l.Free != 4 || l.Newcomers != 4 || l.Asks != paystream.OpenFee {
			t.Errorf("load %+v, want the fee's payer to be free still", l)
		}
		first.payMsat(2, 1000)
		asked.payMsat(2, 1000)
		if l := r.Load(); l.Free != 2 || l.PayStreams != 4 {
			t.Errorf("load %+v, want the two that paid for a round not to count", l)
		}
		time.Sleep(61 * time.Second)
		if l := r.Load(); l.Newcomers != 0 {
			t.Errorf("load %+v, want the minute to be over", l)
		}
		if err := r.Check(); err != nil {
			t.Error(err)
		}
	})
}
