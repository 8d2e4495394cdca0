package ledger_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
	"github.com/el-tor/tops/policies"
)

var epoch = time.Date(2030, 3, 4, 23, 30, 0, 0, time.UTC)

// earn writes a payee's pay stream and what was paid to it.
func earn(t testing.TB, l *ledger.Ledger, r paystream.PayeeRecord, bookings ...paystream.Booking) {
	t.Helper()
	if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: []paystream.PayeeRecord{r}, Bookings: bookings}); err != nil {
		t.Fatal(err)
	}
}

// come is a payment to us that came at a time.
func come(n int, kind paystream.BookingKind, h paystream.Handle, msat int64, at time.Time) paystream.Booking {
	k := journaltest.Credit(n, h, msat)
	k.Kind, k.PaidAt, k.At = kind, at, at
	return k
}

// pay writes a payment of ours that stands at a step; one that is paid cost
// three msat of routing, one that is held up to ten.
func pay(t testing.TB, l *ledger.Ledger, n int, controller, circuit string, step paystream.PaymentStep, msat int64, at time.Time) {
	t.Helper()
	p := ledger.Payment{Handle: journaltest.PayerStream(n).Handle, Note: paystream.RoundID(fmt.Sprint(n)), Round: 2, Through: 2,
		Attempt: 1, AmountMsat: msat, MaxFeeMsat: 10, Step: step, Created: at, Controller: controller, Circuit: circuit,
		PaymentHash: journaltest.PaymentHash(n)}
	if step == paystream.StepPaid {
		p.SentMsat, p.Settled = msat+3, at
	}
	if err := l.SavePayment(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTotals(t *testing.T) {
	l := open(t, newPlace(t))
	totals := func() ledger.Totals {
		t.Helper()
		got, err := l.Totals(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	same(t, "empty books", ledger.Totals{}, totals())

	// It prepaid 9000, had begun its third round, the second that costs anything,
	// when it closed, and had an opening fee of 500.
	r := journaltest.PayeeStream(1)
	r.FeeMsat, r.Elapsed = 500, 2*time.Minute+time.Second
	earn(t, l, r, come(1, paystream.BookedCredit, r.Handle, 9000, epoch))
	same(t, "a live pay stream has no excess", ledger.Totals{EarnedMsat: 9000}, totals())
	r.Closed = epoch
	earn(t, l, r, come(2, paystream.BookedLate, r.Handle, 70, epoch), come(3, paystream.BookedUnclaimed, "", 8, epoch))
	pay(t, l, 1, "alice", "1", paystream.StepPaid, 1000, epoch)
	pay(t, l, 2, "alice", "1", paystream.StepPaying, 2000, epoch)
	pay(t, l, 3, "alice", "1", paystream.StepIntent, 400, epoch)
	pay(t, l, 4, "alice", "1", paystream.StepFailed, 1000, epoch)
	same(t, "totals", ledger.Totals{SpentMsat: 1003, RoutingMsat: 3, HeldMsat: 2010 + 410,
		EarnedMsat: 9000, ExcessMsat: 9000 - 500 - 2000, LateMsat: 70, UnclaimedMsat: 8}, totals())
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSpentByControllerAndCircuit(t *testing.T) {
	l := open(t, newPlace(t))
	pay(t, l, 1, "alice", "1", paystream.StepPaid, 100, epoch)
	pay(t, l, 2, "alice", "1", paystream.StepPaid, 100, epoch.Add(time.Hour))
	pay(t, l, 3, "alice", "2", paystream.StepPaid, 100, epoch.Add(time.Hour))
	pay(t, l, 4, "bob", "1", paystream.StepPaying, 50, epoch.Add(-time.Hour)) // old, and held
	pay(t, l, 5, "bob", "1", paystream.StepFailed, 50, epoch.Add(time.Hour))
	got, err := l.Spent(t.Context(), epoch.Add(1))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "spent", []ledger.SpentBy{
		{Controller: "alice", Circuit: "1", Payments: 1, SpentMsat: 103, RoutingMsat: 3},
		{Controller: "alice", Circuit: "2", Payments: 1, SpentMsat: 103, RoutingMsat: 3},
		{Controller: "bob", Circuit: "1", HeldMsat: 60},
	}, got)
}

// The books give a budget back what it knew before a restart.
func TestSpendingsFillABudget(t *testing.T) {
	l := open(t, newPlace(t))
	pay(t, l, 1, "alice", "1", paystream.StepPaid, 97, epoch.Add(-48*time.Hour))
	pay(t, l, 2, "alice", "1", paystream.StepPaid, 197, epoch.Add(-2*time.Hour))
	pay(t, l, 3, "alice", "2", paystream.StepPaying, 390, epoch.Add(-72*time.Hour))
	spendings, err := l.Spendings(t.Context(), epoch.Add(-24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	b := policies.NewBudget(policies.Limits{HourMsat: 1000, DayMsat: 1000, TotalMsat: 1000, CircuitMsat: 1000})
	b.Load(epoch, spendings)
	same(t, "left", []policies.Use{
		{Which: "circuit 1", LimitMsat: 1000, SpentMsat: 200},
		{Which: "circuit 2", LimitMsat: 1000, HeldMsat: 400},
		{Which: "day", LimitMsat: 1000, SpentMsat: 200, HeldMsat: 400},
		{Which: "hour", LimitMsat: 1000, HeldMsat: 400},
		{Which: "total", LimitMsat: 1000, SpentMsat: 300, HeldMsat: 400},
	}, b.Left(epoch))
	st, err := l.LoadPayer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Release(st.Payments[0].Spend().Key) // as the engine names it
	if held := b.Left(epoch)[0].HeldMsat; held != 0 {
		t.Errorf("%d msat are held after the release", held)
	}
}

func TestEarningsByHourAndDay(t *testing.T) {
	l := open(t, newPlace(t))
	r := journaltest.PayeeStream(1)
	r.Closed = epoch.Add(40 * time.Minute) // in its first, free round: all that was credited is left over
	earn(t, l, r,
		come(1, paystream.BookedCredit, r.Handle, 1, epoch.Add(-24*time.Hour)),
		come(2, paystream.BookedCredit, r.Handle, 2, epoch),
		come(3, paystream.BookedLate, r.Handle, 4, epoch.Add(29*time.Minute)),
		come(4, paystream.BookedUnclaimed, "", 8, epoch.Add(30*time.Minute))) // after midnight
	midnight := time.Date(2030, 3, 5, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		step time.Duration
		want []ledger.Earning
	}{
		{ledger.ByHour, []ledger.Earning{
			{From: midnight.Add(-time.Hour), Payments: 2, PaidMsat: 6, EarnedMsat: 2, LateMsat: 4},
			{From: midnight, Payments: 1, PaidMsat: 8, UnclaimedMsat: 8, ExcessMsat: 3}}},
		{ledger.ByDay, []ledger.Earning{
			{From: midnight.Add(-24 * time.Hour), Payments: 2, PaidMsat: 6, EarnedMsat: 2, LateMsat: 4},
			{From: midnight, Payments: 1, PaidMsat: 8, UnclaimedMsat: 8, ExcessMsat: 3}}},
	} {
		got, err := l.Earnings(t.Context(), epoch.Add(time.Minute), tc.step) // the first hour counts whole
		if err != nil {
			t.Fatal(err)
		}
		same(t, "earnings by "+tc.step.String(), tc.want, got)
	}
	if _, err := l.Earnings(t.Context(), epoch, time.Minute); err == nil {
		t.Error("earnings by the minute, which the books do not tell")
	}
}

func TestUnserved(t *testing.T) {
	l := open(t, newPath(t))
	r := journaltest.PayeeStream(1)
	late, stray := come(2, paystream.BookedLate, r.Handle, 70, epoch), come(3, paystream.BookedUnclaimed, "", 8, epoch.Add(time.Minute))
	earn(t, l, r, come(1, paystream.BookedCredit, r.Handle, 9000, epoch), late, stray)
	want := []ledger.Unserved{
		{Kind: paystream.BookedUnclaimed, Round: 2, AmountMsat: 8, PaidAt: stray.PaidAt, PaymentHash: stray.PaymentHash},
		{Kind: paystream.BookedLate, Handle: r.Handle, Round: 2, AmountMsat: 70, PaidAt: late.PaidAt, PaymentHash: late.PaymentHash},
	}
	for _, tc := range []struct {
		since time.Time
		limit int
		want  []ledger.Unserved
	}{{time.Time{}, 0, want}, {epoch.Add(time.Second), 0, want[:1]}, {time.Time{}, 1, want[:1]}, {epoch.Add(time.Hour), 0, nil}} {
		got, err := l.Unserved(t.Context(), tc.since, tc.limit)
		if err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("since %s, at most %d", tc.since, tc.limit), tc.want, got)
	}
}

func TestStoryWithoutSecrets(t *testing.T) {
	l := open(t, newPlace(t))
	payer, payee := journaltest.PayerStream(1), journaltest.PayeeStream(1) // we pay ourselves
	payer.Start, payer.PaidMsat, payer.Controller = payer.Opened.Add(time.Second), 7, "alice"
	payee.Bytes = 77
	if err := l.SavePayStream(t.Context(), payer); err != nil {
		t.Fatal(err)
	}
	pay(t, l, 1, "alice", "12", paystream.StepPaid, 1000, epoch)
	credit := come(1, paystream.BookedCredit, payee.Handle, 1000, epoch)
	earn(t, l, payee, credit)
	earn(t, l, journaltest.PayeeStream(2))

	story, err := l.PayStream(t.Context(), payer.Handle)
	if err != nil {
		t.Fatal(err)
	}
	relay := payer.Terms.Relay
	same(t, "sides", []ledger.Row{
		{Handle: payer.Handle, Role: ledger.Payer, Relay: relay, State: "due", Start: payer.Start.UTC(), PaidMsat: 1000, RoutingMsat: 3,
			Circuit: "12", Hop: 3, Controller: "alice"},
		{Handle: payee.Handle, Role: ledger.Payee, Relay: relay, State: "due", Start: payee.Start.UTC(), PaidMsat: 1000, Bytes: 77},
	}, story.Sides)
	same(t, "bookings", []paystream.Booking{credit}, story.Bookings)
	if len(story.Payments) != 1 || story.Payments[0].SentMsat != 1003 {
		t.Errorf("payments: %+v", story.Payments)
	}
	for _, secret := range []string{payer.Preimage.Hex(), payee.Hash.Hex(), fmt.Sprint(payer.Preimage), fmt.Sprint(payee.Hash)} {
		if strings.Contains(fmt.Sprintf("%v", story), secret) {
			t.Error("the story tells a secret")
		}
	}
	if _, err := l.PayStream(t.Context(), "0000000000000000"); !errors.Is(err, ledger.ErrNoPayStream) {
		t.Errorf("an unknown handle: %v", err)
	}
}

func TestPayStreamsFiltered(t *testing.T) {
	l := open(t, newPlace(t))
	var live, old, payer = journaltest.PayeeStream(1), journaltest.PayeeStream(2), journaltest.PayerStream(3)
	live.Start, old.Start, old.Closed, payer.Opened = epoch, epoch.Add(-2*time.Hour), epoch.Add(-time.Hour), epoch.Add(-time.Minute)
	payer.Controller = "alice'; DROP TABLE payer_streams; --"
	earn(t, l, live)
	earn(t, l, old)
	if err := l.SavePayStream(t.Context(), payer); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		filter ledger.Filter
		want   []paystream.Handle
	}{
		"all":           {ledger.Filter{}, []paystream.Handle{live.Handle, payer.Handle, old.Handle}},
		"payee":         {ledger.Filter{Role: ledger.Payee}, []paystream.Handle{live.Handle, old.Handle}},
		"payer":         {ledger.Filter{Role: ledger.Payer}, []paystream.Handle{payer.Handle}},
		"live":          {ledger.Filter{Live: true}, []paystream.Handle{live.Handle, payer.Handle}},
		"since":         {ledger.Filter{Since: epoch.Add(-time.Hour + 1)}, []paystream.Handle{live.Handle, payer.Handle}},
		"limit":         {ledger.Filter{Limit: 2}, []paystream.Handle{live.Handle, payer.Handle}},
		"controller":    {ledger.Filter{Controller: payer.Controller}, []paystream.Handle{payer.Handle}},
		"no controller": {ledger.Filter{Controller: "bob"}, nil},
		"handle":        {ledger.Filter{Handle: old.Handle}, []paystream.Handle{old.Handle}},
	} {
		rows, err := l.PayStreams(t.Context(), tc.filter)
		if err != nil {
			t.Fatal(err)
		}
		var got []paystream.Handle
		for _, r := range rows {
			got = append(got, r.Handle)
		}
		same(t, name, tc.want, got)
	}
}

func TestForgetKeepsWhatIsNotOver(t *testing.T) {
	l := open(t, newPlace(t))
	before := epoch
	live, young, late, gone := journaltest.PayeeStream(1), journaltest.PayeeStream(2), journaltest.PayeeStream(3), journaltest.PayeeStream(4)
	young.Closed, late.Closed, gone.Closed = before, before.Add(-time.Minute), before.Add(-1)
	old := before.Add(-time.Hour)
	for i, r := range []paystream.PayeeRecord{live, young, late, gone} {
		earn(t, l, r, come(i, paystream.BookedCredit, r.Handle, 5000, old))
	}
	earn(t, l, late, come(10, paystream.BookedLate, late.Handle, 1, before)) // something of it is young
	pay(t, l, 1, "alice", "1", paystream.StepPaying, 1000, old)              // held is not over
	pay(t, l, 2, "alice", "1", paystream.StepPaid, 1000, old)

	for n, closed := range map[int]time.Time{5: {}, 6: before.Add(-1)} { // what we pay: one lives, one is over
		r := journaltest.PayerStream(n)
		r.Closed = closed
		if err := l.SavePayStream(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		pay(t, l, n, "alice", "1", paystream.StepPaid, 5000, old)
	}

	was, err := l.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Forget(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "forgotten", ledger.Forgotten{PayStreams: 2, Payments: 3}, got)
	rows, err := l.PayStreams(t.Context(), ledger.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 4 {
		t.Errorf("%d pay streams are left, want 4", len(rows))
	}
	for _, r := range rows {
		if r.Handle == gone.Handle || r.Handle == journaltest.PayerStream(6).Handle {
			t.Error("what is over is still there")
		}
		if r.PaidMsat != 5000 {
			t.Errorf("%s: %d msat are left of its 5000", r.Handle, r.PaidMsat)
		}
	}
	now, err := l.Totals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	same(t, "totals, before and after", was, now)
}

// Whatever is in the books and whenever one forgets: the totals and the days
// stay what they were, and what is live or open stays whole.
func TestForgettingChangesNoSum(t *testing.T) {
	t.Parallel()
	l := open(t, newPlace(t))
	n := 0 // every history adds to the same books
	rapid.Check(t, func(rt *rapid.T) {
		hours := rapid.IntRange(0, 72)
		at := func(label string) time.Time { return epoch.Add(time.Duration(hours.Draw(rt, label)) * time.Hour) }
		var batch paystream.PayeeBatch
		for range rapid.IntRange(0, 4).Draw(rt, "pay streams") {
			n++
			r := journaltest.PayeeStream(n)
			r.Start, r.Elapsed = at("start"), time.Duration(rapid.IntRange(0, 11).Draw(rt, "minutes"))*time.Minute
			if rapid.Bool().Draw(rt, "closed") {
				r.Closed = at("closed at")
			}
			for range rapid.IntRange(0, 3).Draw(rt, "bookings") {
				n++
				kind := rapid.SampledFrom([]paystream.BookingKind{paystream.BookedCredit, paystream.BookedLate,
					paystream.BookedUnclaimed}).Draw(rt, "kind")
				h := r.Handle
				if kind == paystream.BookedUnclaimed {
					h = ""
				}
				batch.Bookings = append(batch.Bookings, come(n, kind, h, rapid.Int64Range(0, 20_000).Draw(rt, "msat"), at("paid at")))
			}
			batch.Streams = append(batch.Streams, r)
			n++
			step := rapid.SampledFrom([]paystream.PaymentStep{paystream.StepIntent, paystream.StepPaid,
				paystream.StepFailed}).Draw(rt, "step")
			pay(t, l, n, "alice", "1", step, 1000, at("our payment"))
		}
		if _, err := l.CommitPayee(t.Context(), batch); err != nil {
			rt.Fatal(err)
		}
		type sums struct {
			Totals      ledger.Totals
			Days, Hours []ledger.Earning
			Total       int64
		}
		add := func() (s sums) {
			var errs [4]error
			var spent []policies.Spending
			s.Totals, errs[0] = l.Totals(t.Context())
			s.Days, errs[1] = l.Earnings(t.Context(), time.Time{}, ledger.ByDay)
			spent, errs[2] = l.Spendings(t.Context(), epoch)
			s.Hours, errs[3] = l.Earnings(t.Context(), time.Time{}, ledger.ByHour)
			for _, p := range spent {
				s.Total += p.Msat
			}
			if err := errors.Join(errs[:]...); err != nil {
				rt.Fatal(err)
			}
			return s
		}
		balances := func() (all []string) {
			st, err := l.LoadPayee(t.Context(), epoch.Add(1000*time.Hour)) // the live ones
			if err != nil {
				rt.Fatal(err)
			}
			for _, r := range st.Streams {
				all = append(all, fmt.Sprintf("%s %d", r.Handle, r.BalanceMsat))
			}
			slices.SortFunc(all, cmp.Compare)
			return all
		}
		wasSums, wasLive := add(), balances()
		if err := l.Blur(t.Context(), at("blur before")); err != nil {
			rt.Fatal(err)
		}
		if diff := gocmp.Diff(wasSums, add()); diff != "" {
			rt.Fatalf("sums before and after blurring:\n%s", diff)
		}
		if _, err := l.Forget(t.Context(), at("before")); err != nil {
			rt.Fatal(err)
		}
		nowSums := add()
		wasSums.Hours, nowSums.Hours = nil, nil // only the day is known of them
		if diff := gocmp.Diff(wasSums, nowSums); diff != "" {
			rt.Fatalf("sums before and after forgetting:\n%s", diff)
		}
		if diff := gocmp.Diff(wasLive, balances()); diff != "" {
			rt.Fatalf("live pay streams before and after forgetting:\n%s", diff)
		}
		for i := range batch.Streams { // some are left to the next history, but none for ever
			batch.Streams[i].Closed = epoch
		}
		if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: batch.Streams}); err != nil {
			rt.Fatal(err)
		}
	})
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// What is forgotten is not in the file any more, nor beside it.
func TestForgottenIsGone(t *testing.T) {
	path := newPath(t)
	l := open(t, path)
	r := journaltest.PayerStream(1)
	found := func() (n int) {
		files, err := filepath.Glob(path + "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(raw, []byte(r.Preimage.Hex()))
		}
		return n
	}
	for _, closed := range []time.Time{{}, epoch} { // it lives, then it is over
		r.Closed = closed
		if err := l.SavePayStream(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if found() == 0 {
			t.Fatal("the preimage is not in the files even before")
		}
	}
	if _, err := l.Forget(t.Context(), epoch.Add(1)); err != nil {
		t.Fatal(err)
	}
	if n := found(); n != 0 {
		t.Errorf("the preimage of a forgotten pay stream is in the files %d times", n)
	}
}
