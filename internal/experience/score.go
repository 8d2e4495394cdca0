package experience

import (
	"math"
	"time"
)

// A Score is what is remembered of one relay. Every figure decays, all at the
// same pace, so averages stay and their weight shrinks.
type Score struct {
	Good   float64 `json:"good"`   // rounds that were worth their price
	Bad    float64 `json:"bad"`    // rounds that were not
	Failed float64 `json:"failed"` // circuits to it that could not be built or opened

	Answers       float64 `json:"answers"`        // connections whose first byte was timed
	AnswerSeconds float64 `json:"answer_seconds"` // what they waited for it, together

	Bytes         float64 `json:"bytes"`          // what came while somebody waited for bytes
	WaitedSeconds float64 `json:"waited_seconds"` // for so long
}

// FirstByte is how long the first byte took on average, 0 if it is not known.
func (s Score) FirstByte() time.Duration {
	if s.Answers == 0 {
		return 0
	}
	return time.Duration(s.AnswerSeconds / s.Answers * float64(time.Second))
}

// Goodput is the bytes a second that came while somebody waited for them, 0 if
// it is not known.
func (s Score) Goodput() int64 {
	if s.WaitedSeconds == 0 {
		return 0
	}
	return int64(s.Bytes / s.WaitedSeconds)
}

// figures are the fields, for what is done to all of them.
func (s *Score) figures() []*float64 {
	return []*float64{&s.Good, &s.Bad, &s.Failed, &s.Answers, &s.AnswerSeconds, &s.Bytes, &s.WaitedSeconds}
}

// decay lets a time pass.
func (s *Score) decay(d, halfLife time.Duration) {
	if d <= 0 {
		return // a clock that was set back
	}
	share := math.Exp2(-float64(d) / float64(halfLife))
	for _, f := range s.figures() {
		*f *= share
	}
}

// valid reports whether a score that was read can be counted with.
func (s *Score) valid() bool {
	for _, f := range s.figures() {
		if !(*f >= 0 && *f <= 1e18) {
			return false
		}
	}
	return true
}

// size is how much there is to remember: what counts least is forgotten first.
func (s *Score) size() float64 { return s.Good + s.Bad + s.Failed + s.Answers }
