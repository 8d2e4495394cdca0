package paystream

import "time"

// outageAfter is how long the node may be silent before that is an outage.
const outageAfter = 5 * time.Second

// nodeWatch is what the payee knows of its node: whether it answers, and since
// when it does not. Payee.mu guards it.
type nodeWatch struct {
	starting bool      // no answer yet since the process began
	since    time.Time // of the first question without an answer; zero while it answers
	paused   bool      // the carrier was told to pause
}

// away reports an outage: nobody can be judged, and nobody new is let in.
func (n *nodeWatch) away(now time.Time) bool {
	return !n.since.IsZero() && now.Sub(n.since) >= outageAfter
}

// silent notes that the node was asked and did not answer.
func (n *nodeWatch) silent(asked time.Time) {
	if n.since.IsZero() {
		n.since = asked
	}
}

// answered notes an answer to a question that was asked at asked. It returns the
// time from which deadlines may have passed unseen; false when there was no
// outage.
func (n *nodeWatch) answered(asked time.Time) (from time.Time, outage bool) {
	switch {
	case n.starting:
		outage = true // whatever passed while the process was not there
	case !n.since.IsZero():
		from, outage = n.since, asked.Sub(n.since) >= outageAfter
	}
	n.starting, n.since = false, time.Time{}
	return from, outage
}
