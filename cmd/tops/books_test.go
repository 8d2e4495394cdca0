package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// writeBooks is the command `writebooks FILE` of the scripts: books with a few
// pay streams of January 2030.
func writeBooks() {
	if err := writeBooksTo(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func writeBooksTo(path string) (err error) {
	ctx := context.Background()
	l, err := ledger.Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	noon := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	live, over := journaltest.PayeeStream(1), journaltest.PayeeStream(2)
	live.Start, live.State = noon, "LIVE"
	over.Start, over.Closed, over.State, over.Reason, over.Bytes = noon, noon.Add(20*time.Minute), "LATE", paystream.ReasonLate, 77
	over.Elapsed = time.Minute + time.Second // its second round, the first that costs anything, had begun
	booking := func(n int, kind paystream.BookingKind, h paystream.Handle, msat int64, at time.Time) paystream.Booking {
		k := journaltest.Credit(n, h, msat)
		k.Kind, k.PaidAt, k.At = kind, at, at
		return k
	}
	_, err = l.CommitPayee(ctx, paystream.PayeeBatch{Streams: []paystream.PayeeRecord{live, over}, Bookings: []paystream.Booking{
		booking(1, paystream.BookedCredit, live.Handle, 2000, noon.Add(time.Minute)),
		booking(2, paystream.BookedCredit, over.Handle, 3000, noon.Add(2*time.Hour)),
		booking(3, paystream.BookedLate, over.Handle, 40, noon.Add(25*time.Hour)),
		booking(4, paystream.BookedUnclaimed, "", 5, noon.Add(25*time.Hour)),
	}})
	if err != nil {
		return err
	}
	payer := journaltest.PayerStream(3)
	payer.Opened, payer.Start, payer.State, payer.Controller = noon, noon, "LIVE", "alice"
	if err := l.SavePayStream(ctx, payer); err != nil {
		return err
	}
	return l.SavePayment(ctx, ledger.Payment{Handle: payer.Handle, Note: "n", Round: 2, Through: 4, Attempt: 1, AmountMsat: 3000, MaxFeeMsat: 100,
		Step: paystream.StepPaid, SentMsat: 3007, Created: noon, Paying: noon, Settled: noon.Add(time.Second), PaymentHash: journaltest.PaymentHash(9)})
}
