package clnsim

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt11"
	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

// payRow is a row of listpays: one pay or xpay, whatever the number of its attempts.
type payRow struct {
	index        int
	group        uint64
	invoice      string
	bolt12       bool
	hash         string
	preimage     string
	destination  string
	status       Status
	amountMsat   int64
	sentMsat     int64
	parts        int // attempts
	created      time.Time
	completed    time.Time
	showFailedAt time.Time // until then a failed row reads pending
	ledger       *Payment
	label        string
}

func (r *payRow) shown(now time.Time) Status {
	if r.status == Failed && now.Before(r.showFailedAt) {
		return Pending
	}
	return r.status
}

func (r *payRow) view(now time.Time) map[string]any {
	m := map[string]any{
		"payment_hash": r.hash, "status": r.shown(now), "destination": r.destination, "created_at": r.created.Unix(),
		"created_index": r.index, "updated_index": r.index, "amount_sent_msat": r.sentMsat,
	}
	if r.bolt12 {
		m["bolt12"] = r.invoice
	} else {
		m["bolt11"] = r.invoice
	}
	if r.label != "" {
		m["label"] = r.label
	}
	switch r.status {
	case Complete:
		m["preimage"], m["amount_msat"], m["completed_at"] = r.preimage, r.amountMsat, r.completed.Unix()
	case Pending:
		m["amount_msat"] = r.amountMsat
	case Failed: // lacks the amount
		m["amount_sent_msat"] = 0
	}
	return m
}

// payBook is a node's payments. The world's mutex protects it.
type payBook struct {
	rows   []*payRow
	byHash map[string][]*payRow
}

func newPayBook() payBook { return payBook{byHash: map[string][]*payRow{}} }

// last returns the row of a hash that counts: the complete one, else one under way, else the latest.
func (b *payBook) last(hash string) *payRow {
	var found *payRow
	for _, r := range b.byHash[hash] {
		if found == nil || found.status == Failed || r.status == Complete {
			found = r
		}
	}
	return found
}

// bill is an invoice, of either kind, as a payer reads it.
type bill struct {
	text        string
	bolt12      bool
	hash        string
	amountMsat  int64
	destination string
	expires     time.Time
}

// payRequest is what pay and xpay are asked.
type payRequest struct {
	bill     bill
	maxFee   int64
	retryFor time.Duration
	label    string
	xpay     bool
}

// readBill reads an invoice to be paid.
func readBill(text string) (bill, error) {
	switch prefix, s, err := bolt12.Decode(text); {
	case prefix == bolt12.Offer || prefix == bolt12.InvoiceRequest:
		return bill{}, errorf(codeParams, "Invalid bolt12 invoice: unexpected prefix %s", prefix)
	case prefix == bolt12.Invoice && err != nil:
		return bill{}, errorf(codeParams, "Invalid bolt12 invoice: %v", err)
	case prefix == bolt12.Invoice:
		return readBolt12(text, s)
	}
	inv, err := bolt11.Decode(text)
	if err != nil {
		return bill{}, errorf(codeParams, "Invalid bolt11: %v", err)
	}
	return bill{
		text: text, hash: hex.EncodeToString(inv.PaymentHash[:]), amountMsat: inv.AmountMsat,
		destination: hex.EncodeToString(inv.Payee), expires: inv.CreatedAt.Add(inv.Expiry),
	}, nil
}

func readBolt12(text string, s bolt12.Stream) (bill, error) {
	id, _ := s.Get(bolt12.InvoiceNodeID)
	if !bolt12.Verify("invoice", s, id) {
		return bill{}, errorf(codeParams, "Invalid bolt12 invoice: invalid signature")
	}
	hash, _ := s.Get(bolt12.InvoicePaymentHash)
	amount, _ := s.Uint(bolt12.InvoiceAmount)
	if amount == 0 {
		return bill{}, errorf(codeParams, "Invalid bolt12 invoice with zero amount")
	}
	created, _ := s.Uint(bolt12.InvoiceCreatedAt)
	expiry, ok := s.Uint(bolt12.InvoiceExpiry)
	if !ok {
		expiry = defaultInvoiceExpiry
	}
	return bill{
		text: text, bolt12: true, hash: hex.EncodeToString(hash), amountMsat: int64(amount),
		destination: hex.EncodeToString(id), expires: time.Unix(int64(created+expiry), 0),
	}, nil
}

// pay starts a payment and waits for its end. A caller that goes away (ctx) does not stop it.
func (n *node) pay(ctx context.Context, r payRequest) (payRow, error) {
	row, err := n.begin(r)
	if err != nil || row.status == Complete {
		return n.w.copyRow(row), err
	}
	done := make(chan error, 1)
	n.w.wg.Go(func() { done <- n.carry(row, r) })
	select {
	case err := <-done:
		return n.w.copyRow(row), err
	case <-ctx.Done():
		return payRow{}, errorf(codeGeneric, "the caller has gone")
	}
}

func (w *World) copyRow(r *payRow) payRow {
	if r == nil {
		return payRow{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return *r
}

// begin makes the row, unless the hash was paid already or is being paid.
func (n *node) begin(r payRequest) (*payRow, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	now := time.Now()
	if old := n.pays.last(r.bill.hash); old != nil && old.status != Failed {
		switch {
		case old.status == Pending:
			return nil, errorf(codeStillPending, `Unexpected injectpaymentonion error 200: {"code":200,"message":"Payment with groupid=%d still in progress, cannot retry before that completes."}`, old.group)
		case r.xpay:
			return nil, errorf(codeAlreadyPaid, "Already paid this invoice successfully")
		}
		return old, nil
	}
	if now.After(r.bill.expires) {
		return nil, errorf(codeInvoiceExpired, "Invoice expired").with(map[string]int64{"now": now.Unix(), "expiry": r.bill.expires.Unix()})
	}
	to := ""
	if payee := n.w.byID[r.bill.destination]; payee != nil {
		to = payee.name
	}
	row := &payRow{
		index: len(n.pays.rows) + 1, group: rand.Uint64()>>1 | 1<<60, invoice: r.bill.text, bolt12: r.bill.bolt12, hash: r.bill.hash,
		destination: r.bill.destination, status: Pending, amountMsat: r.bill.amountMsat, created: now, label: r.label,
		ledger: &Payment{Hash: r.bill.hash, From: n.name, To: to, AmountMsat: r.bill.amountMsat, Status: Pending, Started: now},
	}
	n.pays.rows = append(n.pays.rows, row)
	n.pays.byHash[row.hash] = append(n.pays.byHash[row.hash], row)
	n.w.payments = append(n.w.payments, row.ledger)
	return row, nil
}

// carry makes attempts until one settles, one fails for good, or the time is over. It runs in the world's time.
func (n *node) carry(row *payRow, r payRequest) error {
	deadline := time.Now().Add(r.retryFor)
	for {
		final, err := n.attempt(row, r)
		if err == nil {
			return nil
		}
		if n.w.ctx.Err() != nil {
			return errorf(codeGeneric, "the node stops") // and the row stays pending
		}
		if final || !time.Now().Before(deadline) {
			n.fail(row)
			return err
		}
		sleep(n.w.ctx, 20*time.Millisecond)
	}
}

// attempt sends one HTLC: funds held, carried, settled or given back.
func (n *node) attempt(row *payRow, r payRequest) (final bool, err error) {
	f, err := n.hold(row, r)
	if err != nil {
		return true, err
	}
	carried := sleep(n.w.ctx, f.PayDelay)
	lost, stuck := n.w.chance(f.FailRate), n.w.chance(f.StuckRate)
	if stuck {
		carried = sleep(n.w.ctx, f.StuckFor)
		lost = f.StuckFails
	}
	switch {
	case !carried:
		return true, errorf(codeGeneric, "the node stops") // money stays held
	case lost:
		n.release(row)
		return stuck, n.lostError(row)
	}
	allowed := true
	if payee := n.w.payee(row); payee != nil {
		allowed = payee.mayTake(row.hash, row.amountMsat)
	}
	if err := n.settle(row, allowed); err != nil {
		n.release(row)
		return true, err
	}
	return true, nil
}

// hold takes the money for one attempt out of the channel.
func (n *node) hold(row *payRow, r payRequest) (Faults, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	row.parts++
	f := n.faults
	fee := f.routingFee(row.amountMsat)
	payee := n.w.byID[row.destination]
	switch {
	case n.offline, payee != nil && payee.offline && f.Hops == 0:
		return f, errorf(codeNoRoute, "Failed: We could not find a usable set of paths. All 1 channels to the source are disabled.")
	case payee == nil:
		return f, errorf(codeNoRoute, "Failed: We could not find a usable set of paths. Destination %s has no known channels.", row.destination)
	case payee.offline:
		const noPath = "We could not find a usable set of paths. The shortest path is 128x1x0->122x1x0->0x0x0, but 122x1x0/0 marked disabled by gossip message."
		if r.xpay && row.parts == 1 {
			return f, errorf(codePayment, "Failed after 1 attempts. We got temporary_channel_failure for 122x1x0/0, assuming it can't carry %dmsat. Then routing failed: "+noPath, row.amountMsat)
		}
		return f, errorf(codeNoRoute, "Failed: "+noPath)
	case row.amountMsat+fee > n.outMsat:
		return f, errorf(codeNoRoute, "Failed: We could not find a usable set of paths. Total source capacity is only %dmsat (in 1 channels).", n.outMsat)
	case row.amountMsat > payee.inMsat:
		return f, errorf(codeNoRoute, "Failed: We could not find a usable set of paths. The shortest path is 128x1x0->0x0x0, but 128x1x0/1 layer auto.localchans says max is %dmsat", payee.inMsat)
	case fee > r.maxFee:
		return f, errorf(codeTooExpensive, "Failed: Could not find route without excessive cost")
	}
	row.sentMsat = row.amountMsat + fee
	row.ledger.FeeMsat = fee
	n.outMsat -= row.sentMsat
	n.heldMsat += row.sentMsat
	return f, nil
}

func (n *node) release(row *payRow) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.heldMsat -= row.sentMsat
	n.outMsat += row.sentMsat
	row.sentMsat = 0
}

// settle is the payee's side: it takes the money if the invoice is its own and still unpaid.
func (n *node) settle(row *payRow, allowed bool) error {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	now := time.Now()
	payee := n.w.byID[row.destination]
	inv := payee.invoices.byHash[row.hash]
	refused := errorf(codeDestination, "Destination said it doesn't know invoice: incorrect_or_unknown_payment_details")
	if !allowed || inv == nil || inv.status(now) != "unpaid" || payee.faults.Refuse || payee.offline || row.amountMsat < inv.amountMsat {
		return refused
	}
	if offer := payee.offers.byID[inv.offerID]; offer != nil {
		if !offer.active {
			return refused
		}
		offer.used = true
		offer.active = !offer.singleUse
	}
	n.heldMsat -= row.sentMsat
	n.inMsat += row.sentMsat
	payee.outMsat += row.amountMsat
	payee.inMsat -= row.amountMsat
	n.w.routerMsat += row.sentMsat - row.amountMsat
	row.status, row.preimage, row.completed = Complete, inv.preimage, now
	p := row.ledger
	p.Status, p.Ended, p.Label, p.OfferID, p.Note = Complete, now, inv.label, inv.offerID, inv.note
	payee.invoices.settle(inv, row.amountMsat, now)
	payee.tell("invoice_payment", map[string]any{"msat": row.amountMsat, "preimage": inv.preimage, "label": inv.label})
	return nil
}

func (w *World) payee(row *payRow) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byID[row.destination]
}

func (n *node) fail(row *payRow) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	now := time.Now()
	row.status, row.completed, row.showFailedAt = Failed, now, now.Add(n.faults.Linger)
	row.ledger.Status, row.ledger.Ended = Failed, now
}

func (n *node) lostError(row *payRow) error {
	return errorf(codePayment, "Failed after %d attempts. We got temporary_channel_failure for 122x1x0/0, assuming it can't carry %dmsat.", row.parts, row.amountMsat)
}
