package experience

import "slices"

// How much must have been seen before it counts for more than what is usual.
const (
	usualRounds  = 2.0 // rounds that a relay is credited with beforehand
	usualSeconds = 5.0 // of waiting
	usualAnswers = 3.0 // connections
)

// The bounds of the factors. No relay is ruled out for good: its score can only
// decay if it is asked for less, not never.
const (
	leastReliable = 0.01
	slowest       = 0.25
	fastest       = 2.0
)

// Judge returns a function that gives the weight of a relay by own experience:
// 1 for one that nothing is known of, up to 4 for what was reliable and fast, and
// down to 0.01 and less for what failed. Fast is what is faster than the middle
// one of the relays that were used.
func (b *Book) Judge() func(relay string) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	scores := make(map[string]Score, len(b.relays))
	var goodputs, answers []float64
	for relay, e := range b.relays {
		b.ageLocked(e)
		scores[relay] = e.Score
		if e.WaitedSeconds > 0 {
			goodputs = append(goodputs, e.Bytes/e.WaitedSeconds)
		}
		if e.Answers > 0 {
			answers = append(answers, e.AnswerSeconds/e.Answers)
		}
	}
	goodput, answer := median(goodputs), median(answers)
	return func(relay string) float64 {
		s, known := scores[relay]
		if !known {
			return 1
		}
		return s.reliability() * s.pace(goodput) * s.promptness(answer)
	}
}

// reliability is the share of good rounds, squared: one that serves nine rounds
// of ten is not nearly as good as one that serves all.
func (s Score) reliability() float64 {
	share := (s.Good + usualRounds) / (s.Good + s.Bad + s.Failed + usualRounds)
	return max(leastReliable, share*share)
}

func (s Score) pace(usual float64) float64 {
	if usual <= 0 {
		return 1
	}
	mine := (s.Bytes + usual*usualSeconds) / (s.WaitedSeconds + usualSeconds)
	return min(max(mine/usual, slowest), fastest)
}

func (s Score) promptness(usual float64) float64 {
	if usual <= 0 {
		return 1
	}
	mine := (s.AnswerSeconds + usual*usualAnswers) / (s.Answers + usualAnswers)
	return min(max(usual/mine, slowest), fastest)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}
