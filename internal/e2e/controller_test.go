package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/tor"
)

// controller is an ordinary Tor controller at the client's control port.
type controller struct {
	*tor.Conn
	heard []controlspec.PayStreamEvent
}

// controller connects, subscribed to PAYSTREAM events; it hangs up with the test.
func (w *world) controller(t *testing.T) *controller {
	t.Helper()
	return controllerAt(t, w.controlSocket())
}

func controllerAt(t *testing.T, socket string) *controller {
	t.Helper()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &controller{Conn: conn}
	c.ok(t, "SETEVENTS PAYSTREAM")
	return c
}

// ask sends a command and returns the reply as tor would write it, without line
// ends: "551 …".
func (c *controller) ask(t *testing.T, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reply, err := c.Do(ctx, line)
	var refused *controlspec.ReplyError
	switch {
	case errors.As(err, &refused):
		return fmt.Sprintf("%d %s", refused.Code, refused.Text)
	case err != nil:
		t.Fatal(err)
	}
	var text []string
	for _, l := range reply.Lines {
		text = append(text, l.Text+l.Data)
	}
	return fmt.Sprintf("250 %s", strings.Join(text, "\n"))
}

func (c *controller) ok(t *testing.T, line string) {
	t.Helper()
	if got := c.ask(t, line); !strings.HasPrefix(got, "250 ") {
		t.Fatalf("%s: %s", line, got)
	}
}

// info is one value of GETINFO.
func (c *controller) info(t *testing.T, key string) string {
	t.Helper()
	reply, err := c.Do(t.Context(), "GETINFO "+key)
	if err != nil {
		t.Fatalf("GETINFO %s: %v", key, err)
	}
	return reply.Values()[key]
}

// extend makes a paid circuit. It is closed with the test.
func (c *controller) extend(t *testing.T, path []string) (circ string) {
	t.Helper()
	got := c.ask(t, "EXTENDPAIDCIRCUIT 0 "+strings.Join(path, ","))
	circ, ok := strings.CutPrefix(got, "250 EXTENDED ")
	if !ok {
		t.Fatalf("EXTENDPAIDCIRCUIT: %s", got)
	}
	t.Cleanup(func() { c.closeCircuit(circ) })
	return circ
}

func (c *controller) closeCircuit(circ string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = c.Do(ctx, "CLOSECIRCUIT "+circ) // it may be closed
}

// wait returns the first event, heard or still to come, that fits.
func (c *controller) wait(t *testing.T, what string, limit time.Duration, fits func(controlspec.PayStreamEvent) bool) controlspec.PayStreamEvent {
	t.Helper()
	for _, e := range c.heard {
		if fits(e) {
			return e
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		reply, err := c.NextEvent(ctx)
		if err != nil {
			t.Fatalf("waited %s for %s: %v; heard: %v", limit, what, err, c.heard)
		}
		e, err := controlspec.ParsePayStream(reply.Lines[0].Text)
		if err != nil {
			t.Fatalf("%q is no PAYSTREAM event: %v", reply.Lines[0].Text, err)
		}
		c.heard = append(c.heard, e)
		if fits(e) {
			return e
		}
	}
}

func on(circ string, s controlspec.PayStreamStatus) func(controlspec.PayStreamEvent) bool {
	return func(e controlspec.PayStreamEvent) bool { return e.CircID == circ && e.Status == s }
}

func of(handle string, s controlspec.PayStreamStatus) func(controlspec.PayStreamEvent) bool {
	return func(e controlspec.PayStreamEvent) bool { return e.Handle == handle && e.Status == s }
}
