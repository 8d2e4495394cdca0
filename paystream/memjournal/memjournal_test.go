package memjournal_test

import (
	"errors"
	"testing"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

func TestJournal(t *testing.T) {
	journaltest.Run(t, func(*testing.T) journaltest.Journal { return memjournal.New() })
}

func TestFailChangesNothing(t *testing.T) {
	j := memjournal.New()
	full := errors.New("disk full")
	j.Fail(full)
	batch := paystream.PayeeBatch{Position: paystream.Position{PayIndex: 7}, Bookings: []paystream.Booking{
		{Settlement: paystream.Settlement{PayIndex: 7, PaymentHash: "aa"}, Kind: paystream.BookedUnclaimed},
	}}
	if _, err := j.CommitPayee(t.Context(), batch); !errors.Is(err, full) {
		t.Fatalf("commit on a full disk: %v", err)
	}
	if n := len(j.Bookings()); n != 0 {
		t.Fatalf("%d bookings after a failed commit", n)
	}
	j.Fail(nil)
	if _, err := j.CommitPayee(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if n := len(j.Bookings()); n != 1 {
		t.Fatalf("%d bookings, want 1", n)
	}
}
