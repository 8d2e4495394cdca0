package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/el-tor/tops/internal/testnet"
)

// Options of a demonstration.
type Options struct {
	Out  io.Writer
	JSON bool   // print the report as JSON, and the course of things on standard error
	Keep bool   // keep the directory with logs and books
	Only string // play this scene alone, for who works on one
}

// Report is what happened, as measured.
type Report struct {
	OK         bool            `json:"ok"`
	Problems   []string        `json:"problems"`
	SetUp      time.Duration   `json:"set_up_ns"`
	Took       time.Duration   `json:"took_ns"`
	KnewAfter  []time.Duration `json:"relay_knew_after_ns"` // from a payment's settling at the node to the relay's entering it into its books
	Stopped    *Cut            `json:"stopped,omitempty"`   // the client that stopped paying
	NeverPaid  *Cut            `json:"never_paid,omitempty"`
	Stall      *Stall          `json:"stall,omitempty"`
	RelayKills int             `json:"relay_kills"`
	PayerKills int             `json:"client_kills"`
	Payments   int             `json:"payments"`
	PaidMsat   int64           `json:"paid_msat"`
	BookedMsat int64           `json:"booked_msat"`
}

// Cut is what somebody who did not pay got.
type Cut struct {
	AfterDue      time.Duration `json:"after_due_ns"`      // how long after the due time he was cut
	BytesAfterDue int64         `json:"bytes_after_due"`   // what he got after it
	Bytes         int64         `json:"bytes"`             // what he got in all
	ThenConnect   string        `json:"then_connect_says"` // the answer to the next CONNECT
}

// Stall is what a client lost to a relay that stopped serving.
type Stall struct {
	PaidMsat   int64         `json:"paid_msat"`   // in all, before it left
	ServedMsat int64         `json:"served_msat"` // the price of the rounds that were served
	LeftAfter  time.Duration `json:"left_after_ns"`
}

// stage is where the scenes are played.
type stage struct {
	w      *world
	out    io.Writer
	report Report
}

func (s *stage) sayf(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// check notes a problem unless ok.
func (s *stage) check(ok bool, format string, args ...any) {
	if !ok {
		s.report.Problems = append(s.report.Problems, fmt.Sprintf(format, args...))
		s.sayf("  NOT SO: "+format, args...)
	}
}

// ErrFailed is returned when something was not as it should have been; what, has
// been printed.
var ErrFailed = errors.New("the demonstration found differences")

// Run plays the demonstration. It moves the process into a network namespace of
// its own, which executes the program again: call it first.
func Run(ctx context.Context, o Options) error {
	if err := testnet.Enter(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tops-demo-")
	if err != nil {
		return err
	}
	if !o.Keep {
		defer os.RemoveAll(dir)
	}
	s := &stage{out: o.Out}
	if o.JSON {
		s.out = os.Stderr
	}
	if o.Keep {
		s.sayf("everything is kept in %s", dir)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.play(ctx, dir, o.Only); err != nil {
		return err
	}
	return s.finish(o)
}

// scene is one part of the demonstration.
type scene struct {
	name, title string
	play        func(*stage, context.Context) error
}

func scenes() []scene {
	return []scene{
		{"honest", "Honest both: ten rounds, and on into a second pay stream", (*stage).honest},
		{"unpaid", "Who does not pay is cut", (*stage).unpaid},
		{"stall", "The relay stalls: the client stops paying and leaves", (*stage).stall},
		{"relay-kill", "The relay's tops is killed and comes back", (*stage).relayKill},
		{"client-kill", "The client's tops is killed in the middle of payments", (*stage).clientKill},
	}
}

func (s *stage) play(ctx context.Context, dir, only string) error {
	began := time.Now()
	s.sayf("a private Tor network, play money, one paid relay and one client:")
	w, err := startWorld(ctx, dir, s.progress)
	if err != nil {
		return err
	}
	defer w.close()
	s.w = w
	s.report.SetUp = time.Since(began)
	s.sayf("  ready after %.1f s", s.report.SetUp.Seconds())
	for i, sc := range scenes() {
		if only != "" && only != sc.name {
			continue
		}
		s.sayf("\n%d. %s", i+1, sc.title)
		if err := sc.play(s, ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.check(false, "%s: %v", sc.name, err)
			for _, log := range []string{"client", "relay"} {
				s.sayf("the %s's log ends:\n%s", log, tail(w.log(log)))
			}
		}
	}
	s.sayf("\n6. Everything adds up")
	if err := s.audit(ctx); err != nil {
		s.check(false, "audit: %v", err)
	}
	s.report.Took = time.Since(began)
	return nil
}

// progress tells how far the start is, without every step of every tor.
func (s *stage) progress(line string) {
	if !strings.Contains(line, "bootstrapped") || strings.Contains(line, "100%") {
		s.sayf("  %s", line)
	}
}

// finish prints the last line, or the report.
func (s *stage) finish(o Options) error {
	r := &s.report
	r.OK = len(r.Problems) == 0
	if o.JSON {
		enc := json.NewEncoder(o.Out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	if !r.OK {
		s.sayf("\ndemo: failed: %d differences", len(r.Problems))
		for _, p := range r.Problems {
			s.sayf("  %s", p)
		}
		return ErrFailed
	}
	s.sayf("\ndemo: ok, %d payments, %d sat paid and %d sat booked, the relay killed %d times and the client %d times, in %.0f s",
		r.Payments, r.PaidMsat/1000, r.BookedMsat/1000, r.RelayKills, r.PayerKills, r.Took.Seconds())
	return nil
}
