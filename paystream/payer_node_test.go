package paystream_test

import (
	"context"
	"sync"
	"time"

	"github.com/el-tor/tops/paystream"
)

// payerNode is a Lightning network with one payer and one payee. It settles what
// it is told to settle and remembers everything, as a node does.
type payerNode struct {
	mu       sync.Mutex
	invoices map[string]*payerInvoice // by payment hash
	credits  func(note paystream.RoundID, msat int64)

	fee     int64                                                // what routing costs
	onFetch func(paystream.InvoiceRequest) error                 // fails a fetch
	onPay   func(*payerInvoice) (paystream.PaymentStatus, error) // what becomes of a payment
	away    bool                                                 // does not answer
	slow    func()                                               // before a payment
	fetches []paystream.InvoiceRequest
}

type payerInvoice struct {
	paystream.Invoice
	note   paystream.RoundID
	status paystream.PaymentStatus
	sent   int64
	pays   int
}

func newPayerNode() *payerNode { return &payerNode{invoices: make(map[string]*payerInvoice)} }

func (n *payerNode) locked(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

func (n *payerNode) setAway(away bool) { n.locked(func() { n.away = away }) }

func (n *payerNode) FetchInvoice(ctx context.Context, req paystream.InvoiceRequest) (paystream.Invoice, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return paystream.Invoice{}, paystream.ErrUnavailable
	}
	n.fetches = append(n.fetches, req)
	if n.onFetch != nil {
		if err := n.onFetch(req); err != nil {
			return paystream.Invoice{}, err
		}
	}
	return n.invoiceLocked("hash:"+req.Metadata, req), nil
}

func (n *payerNode) invoiceLocked(hash string, req paystream.InvoiceRequest) paystream.Invoice {
	if n.invoices[hash] == nil {
		n.invoices[hash] = &payerInvoice{note: req.Note, Invoice: paystream.Invoice{
			String: "lni1" + hash, PaymentHash: hash, AmountMsat: req.AmountMsat, Expires: time.Now().Add(2 * time.Hour)}}
	}
	return n.invoices[hash].Invoice
}

func (n *payerNode) CheckInvoice(ctx context.Context, req paystream.InvoiceRequest, invoice string) (paystream.Invoice, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.invoiceLocked("bolt11:"+invoice, req), nil
}

func (n *payerNode) Pay(ctx context.Context, req paystream.PayRequest) (paystream.Payment, error) {
	if n.slow != nil {
		n.slow()
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	inv := n.invoices[req.Invoice.PaymentHash]
	inv.pays++
	if inv.status == paystream.PaymentComplete {
		return n.paymentLocked(inv), nil
	}
	if inv.status == paystream.PaymentPending {
		return paystream.Payment{}, paystream.ErrHeld
	}
	if n.fee > req.MaxFeeMsat {
		inv.status = paystream.PaymentFailed
		return paystream.Payment{}, paystream.ErrFee
	}
	status, err := paystream.PaymentComplete, error(nil)
	if n.onPay != nil {
		status, err = n.onPay(inv)
	}
	inv.status = status
	if status == paystream.PaymentComplete {
		n.settleLocked(inv)
	}
	if err != nil {
		return paystream.Payment{}, err
	}
	return n.paymentLocked(inv), nil
}

func (n *payerNode) settleLocked(inv *payerInvoice) {
	inv.status, inv.sent = paystream.PaymentComplete, inv.AmountMsat+n.fee
	if n.credits != nil {
		n.credits(inv.note, inv.AmountMsat)
	}
}

// decide ends every pending payment one way or the other.
func (n *payerNode) decide(status paystream.PaymentStatus) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, inv := range n.invoices {
		if inv.status == paystream.PaymentPending {
			inv.status = status
			if status == paystream.PaymentComplete {
				n.settleLocked(inv)
			}
		}
	}
}

func (n *payerNode) paymentLocked(inv *payerInvoice) paystream.Payment {
	return paystream.Payment{PaymentHash: inv.PaymentHash, Status: inv.status, AmountMsat: inv.AmountMsat, SentMsat: inv.sent}
}

func (n *payerNode) Lookup(ctx context.Context, hash string) (paystream.Payment, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.away {
		return paystream.Payment{}, paystream.ErrUnavailable
	}
	inv := n.invoices[hash]
	if inv == nil {
		return paystream.Payment{}, nil
	}
	return n.paymentLocked(inv), nil
}

// sentMsat is all that the node gave away, and how many payments settled.
func (n *payerNode) sentMsat() (sum int64, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, inv := range n.invoices {
		if inv.status == paystream.PaymentComplete {
			sum += inv.sent
			count++
		}
	}
	return sum, count
}
