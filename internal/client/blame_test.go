package client

import (
	"slices"
	"testing"
)

// A relay answers for the circuits that fail by its fault, and for no others.
func TestWhoIsBlamed(t *testing.T) {
	for _, tc := range []struct {
		name   string
		holds  bool // the circuit is not built
		fails  func(c *Client, f *fakeTor, path []string)
		blamed int // which of the hops is avoided then; -1: none
	}{
		{"the exit is not reached", true, func(_ *Client, f *fakeTor, path []string) {
			f.say(func() string {
				return "650 CIRC 1 EXTENDED $" + path[0] + ",$" + path[1] + " PURPOSE=GENERAL\r\n" + f.endLocked("1", "FAILED", "TIMEOUT")
			})
		}, 2},
		{"the middle is not reached", true, func(_ *Client, f *fakeTor, path []string) {
			f.say(func() string {
				return "650 CIRC 1 EXTENDED $" + path[0] + " PURPOSE=GENERAL\r\n" + f.endLocked("1", "FAILED", "TIMEOUT")
			})
		}, 1},
		{"somebody closes it", true, func(_ *Client, f *fakeTor, _ []string) {
			f.say(func() string { return f.endLocked("1", "CLOSED", "REQUESTED") })
		}, -1},
		{"tor starts again, a spare is ready", false, func(_ *Client, f *fakeTor, _ []string) { f.restart() }, -1},
		{"tops ends while it is built", true, func(c *Client, _ *fakeTor, _ []string) { c.stop() }, -1},
		{"tops ends, a spare is ready", false, func(c *Client, _ *fakeTor, _ []string) { c.stop() }, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFakeTor(t, fakeRelay{rateMsat: 1000})
			c, end := clientOf(t, f, nil)
			f.hold(tc.holds)
			built := make(chan error, 1)
			go func() {
				_, err := c.buildSpare(c.ctx, false)
				built <- err
			}()
			if !tc.holds {
				if err := <-built; err != nil {
					t.Fatal(err)
				}
				built <- nil
			}
			eventually(t, "tor is asked for a circuit", func() bool { return len(c.list()) == 1 })
			p := c.list()[0]
			tc.fails(c, f, p.path)
			if err := <-built; tc.holds == (err == nil) {
				t.Errorf("built: %v", err)
			}
			eventually(t, "it is left", func() bool { return len(c.list()) == 0 })
			told := end()
			var want []string
			if tc.blamed >= 0 {
				want = []string{p.path[tc.blamed]}
			}
			if got := c.failedLately(); !slices.Equal(got, want) {
				t.Errorf("avoided: %v, want %v; the path is %v", got, want, p.path)
			}
			if got := c.book.Score(p.terms.Relay).Failed; (got > 0.5) != (tc.blamed == 2) {
				t.Errorf("the exit has failed %v times", got)
			}
			if len(want) == 0 && len(told) > 0 {
				t.Errorf("told, of nobody's fault: %v", told)
			}
		})
	}
}
