package paystream

import (
	"math"
	"time"
)

// Ladder chooses what to ask of newcomers by how many there are: nothing while
// there is room for free riders, then the opening fee of the terms, then the first
// priced round ahead. The terms stay what they are. It climbs at once and falls
// slowly, one rung after each Hold in which the load was below half of what led to
// the present one, so that it does not swing with every minute.
//
// Its Opening is for [PayeeConfig.Opening]. A Ladder is for one payee.
type Ladder struct {
	MaxFree      int           // pay streams at once that have paid for no round; 0: nothing is free
	MaxNewcomers int           // a minute that bring no money; 0: nothing is free
	AskFee       bool          // the lowest rung is the fee
	Hold         time.Duration // 1 min, if 0

	// Changed, if set, is told what newcomers are asked for from now on. It must
	// return at once and not call back.
	Changed func(Opening)

	rung Opening
	busy time.Time // when the load was last enough for the rung
}

// Opening is what to ask at a load: the fee at the limits, the round ahead at
// twice of them.
func (l *Ladder) Opening(load Load) Opening {
	hold := l.Hold
	if hold == 0 {
		hold = time.Minute
	}
	was := l.rung
	level := max(share(load.Free, l.MaxFree), share(load.Newcomers, l.MaxNewcomers))
	if to := Opening(min(level, float64(OpenAhead))); to > l.rung {
		l.rung, l.busy = to, load.Now
	}
	for ; l.rung > OpenFree; l.rung-- {
		if level >= float64(l.rung)/2 {
			l.busy = load.Now
			break
		}
		if load.Now.Sub(l.busy) < hold {
			break
		}
		l.busy = l.busy.Add(hold)
	}
	lowest := OpenFree
	if l.AskFee {
		lowest = OpenFee
	}
	asks := max(l.rung, lowest)
	if asks != max(was, lowest) && l.Changed != nil {
		l.Changed(asks)
	}
	return asks
}

func share(n, limit int) float64 {
	if limit <= 0 {
		return math.Inf(1)
	}
	return float64(n) / float64(limit)
}

// perMinute counts what happened in the last 60 seconds, in steps of a second.
type perMinute struct {
	second int64 // the latest in it, since 1970
	counts [60]int
	sum    int
}

func (m *perMinute) add(now time.Time) {
	m.forget(now)
	m.counts[m.second%60]++
	m.sum++
}

func (m *perMinute) count(now time.Time) int {
	m.forget(now)
	return m.sum
}

// forget drops the seconds that are a minute ago.
func (m *perMinute) forget(now time.Time) {
	second := now.Unix()
	if second-m.second >= 60 {
		*m = perMinute{second: second}
	}
	for ; m.second < second; m.second++ {
		next := (m.second + 1) % 60
		m.sum -= m.counts[next]
		m.counts[next] = 0
	}
}
