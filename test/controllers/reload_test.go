package controllers_test

import (
	"context"
	"testing"
	"time"
)

const reloads = 20

// reloads has tor read its configuration again and again under a download through
// a paid circuit. Each time it forgets what was set through the control port.
func (w *world) reloads(t *testing.T) {
	c := dial(t, w.controlSocket())
	d := fetch(t, socksPort, "circ="+w.paid(t, c))
	d.goesOn(t)

	direct := dial(t, w.tor.ControlSocket)
	direct.ask(t, "SETEVENTS SIGNAL")
	var longest time.Duration
	for range reloads {
		if err := w.tor.Reload(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		event, err := direct.NextEvent(ctx)
		cancel()
		if err != nil || event.Lines[0].Text != "SIGNAL RELOAD" {
			t.Fatalf("waiting for the RELOAD: %v, %v", event, err)
		}
		begin := time.Now()
		until(t, "our settings to be in force", 2*time.Second, func() bool {
			return direct.ask(t, "GETCONF FetchUselessDescriptors __LeaveStreamsUnattached") == ours
		})
		longest = max(longest, time.Since(begin))
		d.goesOn(t)
	}
	fetch(t, w.tor.SocksAddr, "someone else").goesOn(t)
	t.Logf("%d RELOADs, our settings in force at most %v after each; %d bytes came, none was lost",
		reloads, longest.Round(time.Millisecond), 8*d.numbers.Load())
}
