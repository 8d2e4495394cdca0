package killtest_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

// report is how the two books and the nodes compare.
type report struct {
	kills, payments            int
	doubles, losses, wrongCuts int
	midway                     int      // kills while a payment was on its way
	completed, cut             int      // pay streams, as their payee ended them
	late, unclaimed            int      // payments that came too late, or for no pay stream
	open                       int      // the payer's pay streams and payments that are not over
	still                      []string // which they are
	findings                   []string
}

func (r report) String() string {
	return fmt.Sprintf("kills %d, payments %d, doubles %d, losses %d, wrong cuts %d (%d kills midway; pay streams completed %d, cut %d; payments late %d, unclaimed %d)",
		r.kills, r.payments, r.doubles, r.losses, r.wrongCuts, r.midway, r.completed, r.cut, r.late, r.unclaimed)
}

func (r *report) find(count *int, format string, args ...any) {
	*count++
	r.findings = append(r.findings, fmt.Sprintf(format, args...))
}

// audit compares the books with what the nodes know.
func (w *world) audit() (r report) {
	w.Helper()
	payer, payee := w.books("payer"), w.books("payee")
	defer payer.Close()
	defer payee.Close()
	nodes := w.movements(&r)
	w.auditPayer(&r, payer, nodes)
	w.auditPayee(&r, payee, nodes)
	return r
}

// books opens those of the payer or the payee, to be read.
func (w *world) books(of string) *ledger.Ledger {
	w.Helper()
	books, err := ledger.OpenReader(w.Context(), filepath.Join(w.dir, of+".db"))
	if err != nil {
		w.Fatal(err)
	}
	return books
}

// movements is every payment from payer to payee that settled, by payment hash.
func (w *world) movements(r *report) map[string]clnsim.Payment {
	settled := map[string]clnsim.Payment{}
	notes := map[string]string{}
	for _, p := range w.sim.Payments() {
		switch {
		case p.From != "payer":
		case p.Status == clnsim.Pending:
			r.open++
		case p.Status == clnsim.Complete:
			if other, twice := notes[p.Note]; twice {
				r.find(&r.doubles, "note %s was paid by %s and by %s", p.Note, other, p.Hash)
			}
			notes[p.Note] = p.Hash
			settled[p.Hash] = p
			r.payments++
		}
	}
	return settled
}

// auditPayer holds the payer's books to the nodes.
func (w *world) auditPayer(r *report, books *ledger.Ledger, nodes map[string]clnsim.Payment) {
	w.Helper()
	streams, err := books.PayStreams(w.Context(), ledger.Filter{Role: ledger.Payer})
	if err != nil {
		w.Fatal(err)
	}
	booked := map[string]bool{}
	for _, row := range streams {
		if row.Closed.IsZero() {
			r.open++
			r.still = append(r.still, fmt.Sprintf("%s %s since %s, %d msat paid", row.Handle, row.State, row.Start, row.PaidMsat))
		}
		story, err := books.PayStream(w.Context(), row.Handle)
		if err != nil {
			w.Fatal(err)
		}
		for _, y := range story.Payments {
			got, settled := nodes[y.PaymentHash]
			switch {
			case y.Step != paystream.StepPaid && !settled:
				if y.Step.Open() {
					r.open++
					r.still = append(r.still, fmt.Sprintf("%s round %d: %s since %s", row.Handle, y.Round, y.Step, y.Created))
				}
				continue
			case y.Step != paystream.StepPaid:
				r.find(&r.losses, "the payer's node paid %s, its books have it %s", y.PaymentHash, y.Step)
			case !settled:
				r.find(&r.losses, "the payer's books have %s paid, its node does not", y.PaymentHash)
			case got.AmountMsat != y.AmountMsat || got.AmountMsat+got.FeeMsat != y.SentMsat:
				r.find(&r.losses, "%s: booked %d and %d, paid %d and %d", y.PaymentHash, y.AmountMsat, y.SentMsat, got.AmountMsat, got.AmountMsat+got.FeeMsat)
			}
			booked[y.PaymentHash] = true
		}
		terms := testTerms("", netip.AddrPort{})
		if owed := row.FeeMsat + terms.Schedule().TotalMsat(); row.PaidMsat > owed {
			r.find(&r.doubles, "pay stream %s cost %d msat of %d", row.Handle, row.PaidMsat, owed)
		}
	}
	for hash := range nodes {
		if !booked[hash] {
			r.find(&r.losses, "the payer's node paid %s, its books do not have it", hash)
		}
	}
}

// auditPayee holds the payee's books to the nodes, and its judgements to what the
// nodes knew at the time.
func (w *world) auditPayee(r *report, books *ledger.Ledger, nodes map[string]clnsim.Payment) {
	w.Helper()
	state, err := books.LoadPayee(w.Context(), time.Time{})
	if err != nil {
		w.Fatal(err)
	}
	booked := map[string]int64{}
	for _, s := range state.Unclaimed {
		booked[s.PaymentHash] = s.AmountMsat
		r.unclaimed++
	}
	for _, s := range state.Streams {
		story, err := books.PayStream(w.Context(), s.Handle)
		if err != nil {
			w.Fatal(err)
		}
		for _, b := range story.Bookings {
			if _, twice := booked[b.PaymentHash]; twice {
				r.find(&r.doubles, "the payee booked %s twice", b.PaymentHash)
			}
			booked[b.PaymentHash] = b.AmountMsat
			if b.Kind == paystream.BookedLate {
				r.late++
			}
		}
		switch s.Reason {
		case paystream.ReasonCompleted:
			r.completed++
		case paystream.ReasonLate:
			r.cut++
			if wronglyCut(s, nodes) {
				r.find(&r.wrongCuts, "pay stream %s was cut at %s though it was paid", s.Handle, s.Closed)
			}
		}
	}
	for hash, p := range nodes {
		if got, ok := booked[hash]; !ok || got != p.AmountMsat {
			r.find(&r.losses, "the payee's node received %d msat by %s, its books have %d", p.AmountMsat, hash, got)
		}
		delete(booked, hash)
	}
	for hash := range booked {
		r.find(&r.losses, "the payee's books have %s, its node does not", hash)
	}
}

// wronglyCut reports whether everything had settled in time that was due before a
// pay stream was cut.
func wronglyCut(s paystream.PayeeRecord, nodes map[string]clnsim.Payment) bool {
	// A deadline that an outage moved takes along those that it passes. What settles
	// within the resolution of two processes' clocks is nobody's fault.
	const slack = 5 * time.Millisecond
	prices := s.Terms.Schedule()
	for round := prices.FirstPriced(); round <= s.Terms.Rounds; round++ {
		late := s.Start.Add(s.Terms.Due(round) + s.Terms.Grace)
		if s.MovedTo.After(late) {
			late = s.MovedTo
		}
		if late.After(s.Closed) {
			break
		}
		var settled int64
		for r := 0; r <= s.Terms.Rounds; r++ {
			note := string(s.Hash.RoundID(s.Terms.Hash(), r))
			for _, p := range nodes {
				if p.Note == note && p.Ended.Before(late.Add(-slack)) {
					settled += p.AmountMsat
				}
			}
		}
		if settled < s.FeeMsat+prices.ThroughMsat(round) {
			return false
		}
	}
	return true
}
