package journaltest

import (
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
)

// payment is one of the n-th pay stream, for its second round.
func payment(n int) paystream.PaymentRecord {
	r := PayerStream(n)
	return paystream.PaymentRecord{Handle: r.Handle, Round: 2, Through: 2, Attempt: 1, Note: "aa", AmountMsat: 1000,
		MaxFeeMsat: 100, Step: paystream.StepIntent, Created: now(), Controller: "alice", Circuit: "12"}
}

func savePayment(t testing.TB, j Journal, r paystream.PaymentRecord) {
	t.Helper()
	if err := j.SavePayment(t.Context(), r); err != nil {
		t.Fatalf("SavePayment: %v", err)
	}
}

func savePayStream(t testing.TB, j Journal, r paystream.PayerRecord) {
	t.Helper()
	if err := j.SavePayStream(t.Context(), r); err != nil {
		t.Fatalf("SavePayStream: %v", err)
	}
}

func payerStreamComesBack(t *testing.T, j Journal) {
	r := PayerStream(1)
	r.RoundIDs = []paystream.RoundID{"aa", "bb"}
	r.Path = []string{"A", "B", "C"}
	r.Controller, r.Start, r.Continues = "alice and bob", now().Add(time.Second), "0011223344556677"
	r.FeeMsat, r.NoPay = 5, true
	savePayStream(t, j, r)
	same(t, "the pay stream", []paystream.PayerRecord{r}, loadPayer(t, j).Streams)

	r.State, r.Reason, r.NoPay, r.Path = "late", paystream.ReasonWallet, false, nil
	savePayStream(t, j, r)
	same(t, "the pay stream, changed", []paystream.PayerRecord{r}, loadPayer(t, j).Streams)

	other := PayerStream(2)
	other.Opened = other.Opened.Add(-time.Second)
	savePayStream(t, j, other)
	same(t, "two pay streams", []paystream.PayerRecord{other, r}, loadPayer(t, j).Streams)

	r.Closed = now()
	savePayStream(t, j, r)
	same(t, "after one is closed", []paystream.PayerRecord{other}, loadPayer(t, j).Streams)
}

// A payer that forgets what it has paid pays it again.
func paidIsTheSumOfPayments(t *testing.T, j Journal) {
	a, b, fresh := PayerStream(1), PayerStream(2), PayerStream(3)
	b.Opened, fresh.Opened = a.Opened.Add(1), a.Opened.Add(2)
	a.PaidMsat, a.Attempts = 1<<40, 77 // not the record's to say
	for _, r := range []paystream.PayerRecord{a, b, fresh} {
		savePayStream(t, j, r)
	}
	for _, p := range []struct {
		stream, attempt int
		note            paystream.RoundID
		msat            int64
		step            paystream.PaymentStep
	}{
		{1, 1, "aa", 1000, paystream.StepFailed},
		{1, 2, "aa", 1000, paystream.StepPaid},
		{1, 1, "bb", 500, paystream.StepPaid},
		{1, 1, "cc", 1, paystream.StepIntent},
		{1, 1, "dd", 2, paystream.StepInvoice},
		{1, 3, "ee", 4, paystream.StepPaying},
		{2, 1, "aa", 30, paystream.StepPaid},
		{2, 5, "bb", 8, paystream.StepFailed},
	} {
		r := payment(p.stream)
		r.Note, r.Attempt, r.AmountMsat, r.Step = p.note, p.attempt, p.msat, p.step
		if p.step == paystream.StepPaid { // the routing in it is not the pay stream's
			r.SentMsat, r.Settled = p.msat+3, now()
		}
		savePayment(t, j, r)
	}
	a.PaidMsat, a.Attempts = 1500, 3
	b.PaidMsat, b.Attempts = 30, 5
	j = reopen(t, j)
	same(t, "the pay streams", []paystream.PayerRecord{a, b, fresh}, loadPayer(t, j).Streams)

	// A payment settles: one write, and it counts once, however often it is said.
	paid := payment(1)
	paid.Note, paid.Attempt, paid.AmountMsat = "ee", 3, 4
	paid.Step, paid.SentMsat, paid.Settled = paystream.StepPaid, 4, now()
	savePayment(t, j, paid)
	savePayment(t, j, paid)
	a.PaidMsat = 1504
	same(t, "after one more is paid", []paystream.PayerRecord{a, b, fresh}, loadPayer(t, reopen(t, j)).Streams)
}

func paymentSteps(t *testing.T, j Journal) {
	r := payment(1)
	for _, next := range []func(){
		func() {},
		func() {
			r.Step, r.Invoice, r.PaymentHash, r.Expires = paystream.StepInvoice, "lni1…", PaymentHash(1), now().Add(time.Hour)
		},
		func() { r.Step, r.Paying = paystream.StepPaying, now().Add(time.Second) },
		func() { r.MaxFeeMsat = 99 },
	} {
		next()
		savePayment(t, j, r)
		same(t, "the payment at "+string(r.Step), []paystream.PaymentRecord{r}, loadPayer(t, j).Payments)
	}
	for _, over := range []paystream.PaymentStep{paystream.StepFailed, paystream.StepPaid} {
		r.Step = over
		savePayment(t, j, r)
		if left := loadPayer(t, j).Payments; len(left) != 0 {
			t.Errorf("a payment that is %s is still open: %v", over, left)
		}
	}
}

func paidStaysPaid(t *testing.T, j Journal) {
	r := payment(1)
	r.Step, r.SentMsat, r.Settled = paystream.StepPaid, 1003, now()
	savePayment(t, j, r)
	savePayment(t, j, r) // saying it again is harmless
	for _, step := range []paystream.PaymentStep{paystream.StepIntent, paystream.StepPaying, paystream.StepFailed} {
		r.Step = step
		if err := j.SavePayment(t.Context(), r); err == nil || !strings.Contains(err.Error(), "paid") {
			t.Errorf("a paid payment became %s: %v", step, err)
		}
	}
	if left := loadPayer(t, j).Payments; len(left) != 0 {
		t.Errorf("open payments: %v", left)
	}
}

func paymentsToldApart(t *testing.T, j Journal) {
	a := payment(1)
	otherNote, otherAmount, otherAttempt, otherStream := a, a, a, payment(2)
	otherNote.Note, otherNote.Round = "bb", 3
	otherAmount.AmountMsat, otherAmount.Through = 2000, 3
	otherAttempt.Attempt = 2
	all := []paystream.PaymentRecord{a, otherNote, otherAmount, otherAttempt, otherStream}
	for i := range all {
		all[i].Created = now().Add(time.Duration(i))
		savePayment(t, j, all[i])
	}
	same(t, "payments", all, loadPayer(t, j).Payments)
}

func secretStays(t *testing.T, j Journal) {
	a, err := j.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a == ([32]byte{}) {
		t.Error("the secret is zero")
	}
	if b, err := j.Secret(t.Context()); err != nil || a != b {
		t.Errorf("the secret changed (%v)", err)
	}
}

func unusableTerms(t *testing.T, j Journal) {
	payer, payee := PayerStream(1), PayeeStream(1)
	payer.Terms.Rounds, payee.Terms.Rounds = 1, 1
	if err := j.SavePayStream(t.Context(), payer); err == nil {
		t.Error("a payer's pay stream of 1 round was accepted: it could not be loaded again")
	}
	if _, err := j.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: []paystream.PayeeRecord{payee}}); err == nil {
		t.Error("a payee's pay stream of 1 round was accepted: it could not be loaded again")
	}
	if _, err := j.CommitPayee(t.Context(), paystream.PayeeBatch{
		Terms: []paystream.RetiredTerms{{Terms: payee.Terms}}}); err == nil {
		t.Error("terms of 1 round were accepted: they could not be loaded again")
	}
	empty(t, j)
}
