package controllers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"golang.org/x/sync/errgroup"
)

const (
	attachers   = 3
	perAttacher = 10
)

// attachers has several controllers attach streams at once, each its own users'
// to its own circuit, beside a client of tops that attaches its own.
func (w *world) attachers(t *testing.T) {
	paying := dial(t, w.controlSocket())
	circ := w.paid(t, paying)
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()

	g, ctx := errgroup.WithContext(ctx)
	for i := range attachers {
		c := dial(t, w.controlSocket())
		c.ask(t, "SETEVENTS STREAM CIRC")
		c.ask(t, "SETCONF __LeaveStreamsUnattached=1")
		a := &attacher{controller: c, user: fmt.Sprintf("user %d", i), circ: c.extend(t, "EXTENDCIRCUIT", w.path[i%2], w.path[(i+1)%2], w.exit)}
		if err := a.built(ctx); err != nil {
			t.Fatal(err)
		}
		g.Go(func() error { return a.attach(ctx) })
		for range perAttacher {
			g.Go(func() error {
				conn, err := dialSOCKS(ctx, w.tor.SocksAddr, a.user)
				if err != nil {
					return fmt.Errorf("%s: %w", a.user, err)
				}
				defer conn.Close()
				_, err = conn.Read(make([]byte, 8))
				return err
			})
		}
	}
	for range perAttacher {
		fetch(t, socksPort, "circ="+circ).goesOn(t)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}

	// A stream that no controller wants is theirs to leave; when none attaches any
	// more it is tor's again.
	paying.ask(t, "SETCONF __LeaveStreamsUnattached=0")
	until(t, "ours to be in force again", 5*time.Second, func() bool { return w.options(t) == ours })
	fetch(t, w.tor.SocksAddr, "someone else").goesOn(t)
}

// attacher is a controller that attaches the streams of one user to its circuit.
type attacher struct {
	controller
	user, circ string
}

func (a *attacher) built(ctx context.Context) error {
	for {
		event, err := a.NextEvent(ctx)
		if err != nil {
			return err
		}
		e, err := controlspec.ParseCirc(event.Lines[0].Text)
		if err == nil && e.ID == a.circ {
			switch e.Status {
			case "BUILT":
				return nil
			case "FAILED", "CLOSED":
				return fmt.Errorf("circuit %s of %s: %s", a.circ, a.user, e.Status)
			}
		}
	}
}

// attach attaches until all its streams are through, on its own circuit.
func (a *attacher) attach(ctx context.Context) error {
	for through := 0; through < perAttacher; {
		event, err := a.NextEvent(ctx)
		if err != nil {
			return fmt.Errorf("%s, after %d streams: %w", a.user, through, err)
		}
		e, err := controlspec.ParseStream(event.Lines[0].Text)
		if err != nil || e.Username != a.user {
			continue
		}
		switch e.Status {
		case "CONTROLLER_WAIT":
			if _, err := a.Do(ctx, "ATTACHSTREAM "+e.ID+" "+a.circ); err != nil {
				return fmt.Errorf("%s: stream %s was taken away: %w", a.user, e.ID, err)
			}
		case "SENTCONNECT", "SUCCEEDED":
			if e.CircID != a.circ {
				return fmt.Errorf("%s: stream %s is on circuit %s, not on %s", a.user, e.ID, e.CircID, a.circ)
			}
			if e.Status == "SUCCEEDED" {
				through++
			}
		case "FAILED":
			return fmt.Errorf("%s: stream %s failed: %s", a.user, e.ID, e.Reason)
		}
	}
	return nil
}
