package journaltest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

func empty(t *testing.T, j Journal) {
	same(t, "an empty payee journal", paystream.PayeeState{}, loadPayee(t, j))
	same(t, "an empty payer journal", paystream.PayerState{}, loadPayer(t, j))
	if known := commit(t, j, paystream.PayeeBatch{}); len(known) != 0 {
		t.Errorf("an empty batch knows %q", known)
	}
}

func payeeStreamComesBack(t *testing.T, j Journal) {
	r := PayeeStream(1)
	r.RoundIDs = []paystream.RoundID{"aa", "bb"}
	r.Elapsed, r.FeeMsat, r.Bytes = 90*time.Second, 21, 1<<33
	r.MovedTo, r.MovedRound = now().Add(time.Minute), 3
	r.Continues, r.ContinuedBy = "0011223344556677", "8899aabbccddeeff"
	r.Continued = true
	commit(t, j, paystream.PayeeBatch{Streams: []paystream.PayeeRecord{r}})
	same(t, "the pay stream", []paystream.PayeeRecord{r}, loadPayee(t, j).Streams)

	r.State, r.Reason, r.Closed = "closed", paystream.ReasonLate, now().Add(-time.Hour)
	r.RoundIDs, r.MovedTo, r.Elapsed, r.Continued = nil, time.Time{}, -time.Second, false
	commit(t, j, paystream.PayeeBatch{Streams: []paystream.PayeeRecord{r}})
	same(t, "the pay stream, changed", []paystream.PayeeRecord{r}, loadPayee(t, j).Streams)
}

func balanceIsTheSumOfCredits(t *testing.T, j Journal) {
	a, b := PayeeStream(1), PayeeStream(2)
	b.Start = b.Start.Add(time.Second)
	a.BalanceMsat = 1 << 40 // not the record's to say
	commit(t, j, paystream.PayeeBatch{Position: paystream.Position{PayIndex: 4}, Streams: []paystream.PayeeRecord{a, b}, Bookings: []paystream.Booking{
		Credit(1, a.Handle, 1000), Credit(2, b.Handle, 1), Credit(3, a.Handle, 500),
		booking(4, paystream.BookedLate, a.Handle, 77),
	}})
	commit(t, j, paystream.PayeeBatch{Position: paystream.Position{PayIndex: 5}, Bookings: []paystream.Booking{Credit(5, a.Handle, 30)}})
	a.BalanceMsat, b.BalanceMsat = 1530, 1
	same(t, "the pay streams", []paystream.PayeeRecord{a, b}, loadPayee(t, j).Streams)
}

func bookedOnce(t *testing.T, j Journal) {
	a, b := PayeeStream(1), PayeeStream(2)
	both := []paystream.PayeeRecord{a, b}
	if known := commit(t, j, paystream.PayeeBatch{Streams: both,
		Bookings: []paystream.Booking{Credit(1, a.Handle, 1000), booking(2, paystream.BookedLate, a.Handle, 9)}}); len(known) != 0 {
		t.Errorf("fresh payments are known: %q", known)
	}
	for _, again := range [][]paystream.Booking{
		{Credit(1, a.Handle, 1000), booking(2, paystream.BookedLate, a.Handle, 9)},
		{Credit(1, b.Handle, 1000), Credit(2, b.Handle, 9)},
		{booking(1, paystream.BookedLate, a.Handle, 1000), unclaimed(2, 9)},
		{unclaimed(1, 1000), Credit(2, a.Handle, 5000)},
	} {
		known := commit(t, j, paystream.PayeeBatch{Bookings: again})
		same(t, "known payments", []string{PaymentHash(1), PaymentHash(2)}, known)
	}
	for _, r := range loadPayee(t, j).Streams {
		if want := map[paystream.Handle]int64{a.Handle: 1000, b.Handle: 0}[r.Handle]; r.BalanceMsat != want {
			t.Errorf("balance of %s = %d, want %d", r.Handle, r.BalanceMsat, want)
		}
	}
	if left := loadPayee(t, j).Unclaimed; len(left) != 0 {
		t.Errorf("unclaimed: %v", left)
	}
}

func claimedOnce(t *testing.T, j Journal) {
	a := PayeeStream(1)
	u1, u2 := unclaimed(1, 1000), unclaimed(2, 50)
	commit(t, j, paystream.PayeeBatch{Position: paystream.Position{PayIndex: 2}, Bookings: []paystream.Booking{u1, u2}})
	if known := commit(t, j, paystream.PayeeBatch{Bookings: []paystream.Booking{u1}}); len(known) != 0 {
		t.Errorf("an unclaimed payment is known as booked: %q", known)
	}
	same(t, "unclaimed", []paystream.Settlement{u1.Settlement, u2.Settlement}, loadPayee(t, j).Unclaimed)

	claim := Credit(1, a.Handle, 1000)
	if known := commit(t, j, paystream.PayeeBatch{Streams: []paystream.PayeeRecord{a},
		Bookings: []paystream.Booking{claim}}); len(known) != 0 {
		t.Errorf("a claim is known: %q", known)
	}
	same(t, "known after the claim", []string{claim.PaymentHash},
		commit(t, j, paystream.PayeeBatch{Bookings: []paystream.Booking{claim}}))

	st := loadPayee(t, j)
	same(t, "unclaimed after the claim", []paystream.Settlement{u2.Settlement}, st.Unclaimed)
	if got := st.Streams[0].BalanceMsat; got != 1000 {
		t.Errorf("balance after the claim = %d, want 1000", got)
	}

	// A payment may arrive and be claimed in one batch.
	commit(t, j, paystream.PayeeBatch{Bookings: []paystream.Booking{unclaimed(3, 7), Credit(3, a.Handle, 7)}})
	if got := loadPayee(t, j).Streams[0].BalanceMsat; got != 1007 {
		t.Errorf("balance after a claim in the same batch = %d, want 1007", got)
	}
}

// Whoever did not hear that a batch is durable commits it again, and reads the
// journal to know what is in it.
func committedAgain(t *testing.T, j Journal) {
	a := PayeeStream(1)
	u := unclaimed(3, 7)
	b := paystream.PayeeBatch{Position: paystream.Position{PayIndex: 3}, Streams: []paystream.PayeeRecord{a}, Terms: []paystream.RetiredTerms{{Terms: Terms()}},
		Bookings: []paystream.Booking{Credit(1, a.Handle, 1000), booking(2, paystream.BookedLate, a.Handle, 9), u}}
	commit(t, j, b)
	before := loadPayee(t, j)
	same(t, "known", []string{PaymentHash(1), PaymentHash(2)}, commit(t, j, b))
	same(t, "the journal", before, loadPayee(t, j))
	if got := before.Streams[0].BalanceMsat; got != 1000 || len(before.Unclaimed) != 1 {
		t.Errorf("balance %d msat, want 1000; unclaimed %v", got, before.Unclaimed)
	}
}

func twiceInABatch(t *testing.T, j Journal) {
	a := PayeeStream(1)
	_, err := j.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: 3}, Streams: []paystream.PayeeRecord{a},
		Bookings: []paystream.Booking{Credit(1, a.Handle, 1), Credit(1, a.Handle, 1)}})
	if err == nil {
		t.Error("a payment booked twice in one batch was accepted")
	}
	_, err = j.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: 3}, Streams: []paystream.PayeeRecord{a},
		Bookings: []paystream.Booking{Credit(1, a.Handle, 1), booking(2, "gift", a.Handle, 1)}})
	if err == nil {
		t.Error("a booking of an unknown kind was accepted")
	}
	same(t, "the journal after refusals", paystream.PayeeState{}, loadPayee(t, j))
}

func payIndexGoesBackOnlyByRewind(t *testing.T, j Journal) {
	at := func(n uint64) paystream.Position {
		if n == 0 {
			return paystream.Position{}
		}
		return paystream.Position{PayIndex: n, PaymentHash: PaymentHash(int(n)), PaidAt: now().Add(time.Duration(n))}
	}
	for _, step := range []struct {
		commit uint64
		rewind bool
		want   uint64
	}{{0, false, 0}, {5, false, 5}, {0, false, 5}, {3, false, 5}, {6, false, 6}, {2, true, 2}, {1, false, 2}, {4, false, 4}, {0, true, 0}, {7, true, 7}} {
		commit(t, j, paystream.PayeeBatch{Position: at(step.commit), Rewind: step.rewind})
		same(t, fmt.Sprintf("position after %+v", step), at(step.want), loadPayee(t, j).Position)
	}
}

func leavesOutTheOld(t *testing.T, j Journal) {
	since := now().Add(-3 * time.Hour)
	old, young, live := PayeeStream(1), PayeeStream(2), PayeeStream(3)
	old.Closed, young.Closed = since, since.Add(1)
	young.Start, live.Start = young.Start.Add(1), live.Start.Add(2)
	stale, fresh := unclaimed(1, 1), unclaimed(2, 1)
	stale.PaidAt, fresh.PaidAt = since, since.Add(1)
	commit(t, j, paystream.PayeeBatch{Streams: []paystream.PayeeRecord{old, young, live},
		Bookings: []paystream.Booking{stale, fresh}})
	st := loadPayee(t, j)
	same(t, "pay streams", []paystream.PayeeRecord{young, live}, st.Streams)
	same(t, "unclaimed", []paystream.Settlement{fresh.Settlement}, st.Unclaimed)
}

func offeredTerms(t *testing.T, j Journal) {
	inForce, retired, gone := Terms(), Terms(), Terms()
	inForce.RateMsat, retired.RateMsat, gone.RateMsat = 1, 2, 3
	list := func(at time.Time) []paystream.RetiredTerms {
		return []paystream.RetiredTerms{{Terms: inForce}, {Terms: retired, Retired: at}}
	}
	commit(t, j, paystream.PayeeBatch{Terms: append(list(time.Time{}),
		paystream.RetiredTerms{Terms: gone, Retired: now().Add(-3 * time.Hour)})})
	if got := loadPayee(t, j).Terms; len(got) != 2 {
		t.Errorf("terms = %v, want the two that are in force", got)
	}
	commit(t, j, paystream.PayeeBatch{Terms: list(now())})
	same(t, "terms", list(now()), loadPayee(t, j).Terms)
}

func endedContext(t *testing.T, j Journal) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.CommitPayee(ctx, paystream.PayeeBatch{Position: paystream.Position{PayIndex: 9}}); err == nil {
		t.Error("CommitPayee worked with an ended context")
	}
	if err := j.SavePayStream(ctx, PayerStream(1)); err == nil {
		t.Error("SavePayStream worked with an ended context")
	}
	if err := j.SavePayment(ctx, payment(1)); err == nil {
		t.Error("SavePayment worked with an ended context")
	}
	empty(t, j)
}
