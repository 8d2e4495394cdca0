package killtest_test

import (
	"testing"
	"time"
)

// The payer is killed at random moments, and takes up where it was.
func TestPayerKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.badDay()
	w.run()
	for range size(30, 300) {
		w.kill(w.payer, w.startPayer)
	}
	time.Sleep(time.Second) // at last it may finish something
	if r := w.end(); r.payments < r.kills/4 {
		t.Errorf("too little happened between the kills: %s", r)
	}
}

// The payee is killed at random moments. It keeps nothing of what has not paid,
// and everything of what has.
func TestPayeeKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 8)
	w.badDay()
	w.run()
	for range size(30, 300) {
		w.kill(w.payee, w.startPayee)
	}
	time.Sleep(time.Second)
	if r := w.end(); r.payments < r.kills/4 {
		t.Errorf("too little happened between the kills: %s", r)
	}
}
