package memjournal

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/paystream"
)

// What a load returns has one order, so that a test that fails fails again.

func sorted[K comparable, V, T any](all map[K]V, pick func(V) (T, bool), order func(a, b T) int) []T {
	var out []T
	for _, v := range all {
		if t, ok := pick(v); ok {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, order)
	return out
}

func byPayIndex(a, b paystream.Booking) int { return settlementByPayIndex(a.Settlement, b.Settlement) }

func settlementByPayIndex(a, b paystream.Settlement) int {
	return cmp.Or(cmp.Compare(a.PayIndex, b.PayIndex), cmp.Compare(a.PaymentHash, b.PaymentHash))
}

func byStart(a, b paystream.PayeeRecord) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Handle, b.Handle))
}

func byRetirement(a, b paystream.RetiredTerms) int {
	return cmp.Or(a.Retired.Compare(b.Retired), strings.Compare(a.Terms.Hash().String(), b.Terms.Hash().String()))
}

func byOpening(a, b paystream.PayerRecord) int {
	return cmp.Or(a.Opened.Compare(b.Opened), cmp.Compare(a.Handle, b.Handle))
}

func byCreation(a, b paystream.PaymentRecord) int {
	return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Handle, b.Handle), cmp.Compare(a.Round, b.Round),
		cmp.Compare(a.Attempt, b.Attempt), cmp.Compare(a.AmountMsat, b.AmountMsat))
}

// What is kept shares nothing with the caller, and its times are as a disk
// would give them back: in UTC, without the monotonic reading.

func asKept(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.Round(0).UTC()
}

func asKeptPayee(r paystream.PayeeRecord) paystream.PayeeRecord {
	r.RoundIDs = slices.Clone(r.RoundIDs)
	r.Start, r.MovedTo, r.Closed = asKept(r.Start), asKept(r.MovedTo), asKept(r.Closed)
	r.BalanceMsat = 0
	return r
}

func asKeptBooking(k paystream.Booking) paystream.Booking {
	k.PaidAt, k.At = asKept(k.PaidAt), asKept(k.At)
	return k
}

func asKeptPayer(r paystream.PayerRecord) paystream.PayerRecord {
	r.RoundIDs, r.Path = slices.Clone(r.RoundIDs), slices.Clone(r.Path)
	r.Start, r.Opened, r.Closed = asKept(r.Start), asKept(r.Opened), asKept(r.Closed)
	r.PaidMsat, r.Attempts = 0, 0
	return r
}

func asKeptPayment(r paystream.PaymentRecord) paystream.PaymentRecord {
	r.Expires, r.Paying = asKept(r.Expires), asKept(r.Paying)
	r.Created, r.Settled = asKept(r.Created), asKept(r.Settled)
	return r
}
