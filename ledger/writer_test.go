package ledger_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// Many callers at once, some of them with batches that the database refuses:
// everybody gets the own result, and nobody's batch is lost or half there.
func TestARefusedBatchHurtsNobodyElse(t *testing.T) {
	const callers, commits = 16, 30
	l := open(t, newPlace(t))
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			r := journaltest.PayeeStream(c)
			for n := range commits {
				k := journaltest.Credit(c*commits+n+1, r.Handle, 1)
				refuse := n%3 == 2
				b := paystream.PayeeBatch{Position: paystream.Position{PayIndex: k.PayIndex}, Streams: []paystream.PayeeRecord{r}, Bookings: []paystream.Booking{k}}
				if refuse { // the first booking is in, the second breaks a rule of the database
					bad := k
					bad.PaymentHash, bad.AmountMsat = k.PaymentHash+"x", -1
					b.Bookings = append(b.Bookings, bad)
				}
				if _, err := l.CommitPayee(t.Context(), b); (err != nil) != refuse {
					t.Errorf("caller %d, commit %d: %v", c, n, err)
				}
			}
		})
	}
	wg.Wait()
	st, err := l.LoadPayee(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Streams) != callers {
		t.Fatalf("%d pay streams, want %d", len(st.Streams), callers)
	}
	for _, r := range st.Streams {
		if r.BalanceMsat != commits*2/3 {
			t.Errorf("%s: %d msat, want %d", r.Handle, r.BalanceMsat, commits*2/3)
		}
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// One caller's commits keep their order: the last one written is the one read.
func TestCommitsOfOneCallerKeepTheirOrder(t *testing.T) {
	l := open(t, newPlace(t))
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			r := journaltest.PayerStream(c)
			for n := range 40 {
				r.FeeMsat = int64(n)
				if err := l.SavePayStream(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	st, err := l.LoadPayer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range st.Streams {
		if r.FeeMsat != 39 {
			t.Errorf("%s ends at %d, want 39", r.Handle, r.FeeMsat)
		}
	}
}

// A context that ends says no only to work that was not begun: whatever
// returned without an error is there, whatever returned with one is not.
func TestAnEndedContextIsNeverInDoubt(t *testing.T) {
	l := open(t, newPlace(t))
	const callers = 64
	saved := make([]bool, callers)
	var wg sync.WaitGroup
	for c := range callers {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(c)*50*time.Microsecond)
		wg.Go(func() {
			defer cancel()
			saved[c] = l.SavePayStream(ctx, journaltest.PayerStream(c)) == nil
		})
	}
	wg.Wait()
	st, err := l.LoadPayer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[paystream.Handle]bool)
	for _, r := range st.Streams {
		there[r.Handle] = true
	}
	for c := range callers {
		if h := journaltest.PayerStream(c).Handle; there[h] != saved[c] {
			t.Errorf("caller %d was told %v, and the journal says %v", c, saved[c], there[h])
		}
	}
}

// Close waits for what was taken and refuses the rest, while callers come.
func TestCloseUnderLoad(t *testing.T) {
	path := newPlace(t)
	l := open(t, path)
	saved := make(chan paystream.Handle, 10_000)
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				r := journaltest.PayerStream(c*1000 + n)
				if l.SavePayStream(t.Context(), r) != nil {
					return
				}
				saved <- r.Handle
			}
		})
	}
	for range 20 {
		<-saved
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	close(saved)

	st, err := open(t, path).LoadPayer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[paystream.Handle]bool)
	for _, r := range st.Streams {
		there[r.Handle] = true
	}
	for h := range saved {
		if !there[h] {
			t.Errorf("%s was saved, and is lost", h)
		}
	}
}

// No error text carries a secret, whatever is wrong with the file.
func TestErrorsTellNoSecrets(t *testing.T) {
	l := open(t, newPlace(t))
	r := journaltest.PayerStream(1)
	r.Terms.Rounds = 1
	p := journaltest.PayeeStream(1)
	p.Terms.Rounds = 1
	_, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: []paystream.PayeeRecord{p}})
	for _, err := range []error{l.SavePayStream(t.Context(), r), err} {
		if err == nil {
			t.Fatal("unusable terms were accepted")
		}
		for _, secret := range []string{r.Preimage.Hex(), p.Hash.Hex()} {
			if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, secret) {
				t.Errorf("a secret in an error: %s", text)
			}
		}
	}
}

// A full disk refuses whom it has no room for, whatever group they were in, and
// nobody who was told yes is missing; with room again, all goes on.
func TestFullDisk(t *testing.T) {
	l := open(t, newPath(t))
	if err := l.FillUp(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	const callers = 32
	errs := make([]error, callers)
	save := func() (refused int) {
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				r := journaltest.PayerStream(c)
				r.Circuit = strings.Repeat("x", 2000)
				errs[c] = l.SavePayStream(t.Context(), r)
			})
		}
		wg.Wait()
		st, err := l.LoadPayer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		there := make(map[paystream.Handle]bool)
		for _, r := range st.Streams {
			there[r.Handle] = true
		}
		for c, err := range errs {
			if h := journaltest.PayerStream(c).Handle; there[h] != (err == nil) {
				t.Errorf("caller %d was told %v, and it is in the file: %v", c, err, there[h])
			}
			if err != nil {
				refused++
			}
		}
		return refused
	}
	if n := save(); n == 0 || n == callers {
		t.Fatalf("%d of %d were refused; the test wants some and not all", n, callers)
	}
	if err := l.FillUp(t.Context(), 1<<20); err != nil {
		t.Fatal(err)
	}
	if n := save(); n != 0 {
		t.Errorf("%d were refused with room again: %v", n, errs)
	}
}
