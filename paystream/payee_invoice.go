package paystream

import (
	"context"
	"errors"
	"fmt"

	"github.com/el-tor/tops/policies"
)

// maxInvoices bounds how often a pay stream may change its mind about a round's
// invoice.
const maxInvoices = 16

// Invoice makes a plain BOLT11 invoice for a round, for a payer whose invoice
// requests do not get through. A pay stream has one unpaid at a time: asking for
// the same gives the same, asking for another deletes it.
func (p *Payee) Invoice(ctx context.Context, h PaymentIDHash, round int, amountMsat int64) (string, error) {
	p.mu.Lock()
	s := p.byHash[h]
	p.mu.Unlock()
	if s == nil {
		return "", ErrUnknown
	}
	return p.invoice(ctx, s, round, amountMsat, InvoiceDescription(s.tariff.Terms))
}

// InvoiceDescription is that of a relay's plain invoices, which tells them from those
// of another relay at the same node.
func InvoiceDescription(t policies.Terms) string { return "TOPS relay " + t.Relay }

// InvoiceForNote is Invoice for who knows no more than a note: the payer of a
// Lightning Address. The description is what the invoice commits to.
func (p *Payee) InvoiceForNote(ctx context.Context, note RoundID, amountMsat int64, description string) (string, error) {
	p.mu.Lock()
	s, round, ok := p.notes.find(note)
	p.mu.Unlock()
	if !ok {
		return "", ErrUnknown
	}
	return p.invoice(ctx, s, round, amountMsat, description)
}

// InvoiceAhead makes an invoice for what an opening may demand, under a note that
// no pay stream has yet. What it brings is unclaimed until the intent comes.
func (p *Payee) InvoiceAhead(ctx context.Context, note RoundID, amountMsat int64, description string) (string, error) {
	p.mu.Lock()
	t := p.terms
	p.mu.Unlock()
	if most := max(t.FeeMsat, t.prices.PriceMsat(t.prices.FirstPriced())); amountMsat < 1 || amountMsat > most {
		return "", fmt.Errorf("%w: no opening costs %d msat", ErrMalformed, amountMsat)
	}
	for n := range maxInvoices {
		invoice, err := p.cfg.Receiver.Invoice(ctx, fmt.Sprintf("%s-%d", note, n), amountMsat, description)
		if !errors.Is(err, ErrPaid) {
			return invoice, err
		}
	}
	return "", &Busy{RetryAfter: t.Interval, TooMany: true, Reason: "too many invoices for this note"}
}

func (p *Payee) invoice(ctx context.Context, s *payeeStream, round int, amountMsat int64, description string) (string, error) {
	p.mu.Lock()
	if s.state.over() {
		reason := s.reason
		p.mu.Unlock()
		return "", &Demand{Reason: reason}
	}
	if round < 0 || round > s.tariff.Rounds || amountMsat < 1 || amountMsat > s.feeMsat+s.tariff.prices.TotalMsat() {
		p.mu.Unlock()
		return "", fmt.Errorf("%w: no invoice of %d msat for round %d", ErrMalformed, amountMsat, round)
	}
	note, next, old := s.note(round), plainInvoice{round: round, amountMsat: amountMsat, n: s.invoices[round]}, s.invoice
	same := old != nil && old.round == round && old.amountMsat == amountMsat
	if same {
		next.n = old.n
	}
	p.mu.Unlock()
	if next.n >= maxInvoices {
		return "", s.tooManyInvoices()
	}

	if old != nil && !same {
		if err := p.cfg.Receiver.DeleteInvoice(ctx, old.label); err != nil && !errors.Is(err, ErrPaid) {
			return "", fmt.Errorf("delete the invoice before: %w", err)
		}
	}
	for ; next.n < maxInvoices; next.n++ {
		next.label = fmt.Sprintf("%s-%d", note, next.n)
		invoice, err := p.cfg.Receiver.Invoice(ctx, next.label, amountMsat, description)
		if errors.Is(err, ErrPaid) {
			continue // the label is taken: by one that is paid, or from before a restart
		}
		if err != nil {
			return "", fmt.Errorf("make an invoice: %w", err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		s.invoice = &next
		if s.invoices == nil {
			s.invoices = make(map[int]int)
		}
		s.invoices[round] = next.n + 1
		return invoice, nil
	}
	return "", s.tooManyInvoices()
}

func (s *payeeStream) tooManyInvoices() error {
	return &Busy{RetryAfter: s.tariff.Interval, TooMany: true, Reason: "too many invoices for this round"}
}

// plainInvoice is the one unpaid BOLT11 invoice of a pay stream.
type plainInvoice struct {
	label      string
	round      int
	amountMsat int64
	n          int
}
