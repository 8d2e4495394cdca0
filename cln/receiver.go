package cln

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/el-tor/tops/paystream"
)

// ReceiverOptions of a [Receiver]. The zero value is usable.
type ReceiverOptions struct {
	InvoiceExpiry time.Duration    // of BOLT11 invoices; 0 is 15 minutes
	Now           func() time.Time // nil is time.Now
	// OnError is told what went wrong with the node or the sink, once when it begins; work goes on. It may be nil.
	OnError func(error)
}

// Receiver follows what a Core Lightning node is paid. Run it once at a time; the other methods may be called meanwhile.
type Receiver struct {
	c       *Client
	now     func() time.Time
	expiry  time.Duration
	onError func(error)
	hint    chan struct{} // ask now, whatever happened

	mu        sync.Mutex // protects what follows
	running   bool
	read      uint64        // the highest pay_index that was read
	delivered uint64        // the highest that the sink has made durable; read ≥ delivered
	changed   chan struct{} // closed when one of these changes
}

var _ paystream.Receiver = (*Receiver)(nil)

const (
	readAhead = 1024             // settlements read while the sink is busy
	maxBatch  = 512              // and given to it at once
	waitTurn  = 20 * time.Second // one waitanyinvoice; shorter than any idle connection is worth worrying about
)

// NewReceiver returns a receiver over the client, which stays the caller's to close.
func NewReceiver(c *Client, opts ReceiverOptions) *Receiver {
	r := &Receiver{c: c, now: opts.Now, expiry: opts.InvoiceExpiry, onError: opts.OnError, hint: make(chan struct{}, 1), changed: make(chan struct{})}
	if r.now == nil {
		r.now = time.Now
	}
	if r.expiry == 0 {
		r.expiry = 15 * time.Minute
	}
	if r.onError == nil {
		r.onError = func(error) {}
	}
	return r
}

// Run implements [paystream.Receiver]. It reads on while the sink commits, so that batches grow with the load: one
// settlement each when little happens, [maxBatch] after an outage.
func (r *Receiver) Run(ctx context.Context, from uint64, sink paystream.Sink) error {
	if err := r.start(from); err != nil {
		return err
	}
	defer r.set(func() { r.running = false })
	queue := make(chan paystream.Settlement, readAhead)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.follow(ctx, from, queue) })
	g.Go(func() error { return r.deliver(ctx, queue, sink) })
	return g.Wait()
}

// Look makes the receiver ask the node now, if it waits before it asks again: something says that the node answers and was
// paid, such as a notification. What it hears counts for nothing else.
func (r *Receiver) Look() {
	select {
	case r.hint <- struct{}{}:
	default:
	}
}

func (r *Receiver) start(from uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running {
		return errors.New("lightning: the receiver runs already")
	}
	r.running, r.read, r.delivered = true, from, from
	return nil
}

// follow reads settlements in order, and asks again after whatever happened.
func (r *Receiver) follow(ctx context.Context, last uint64, queue chan<- paystream.Settlement) error {
	var pause backoff
	for ctx.Err() == nil {
		inv, err := r.next(ctx, last)
		switch {
		case ctx.Err() != nil:
		case HasCode(err, CodeWaitTimeout):
			pause.reset()
		case err == nil && inv.PayIndex <= last:
			err = fmt.Errorf("lightning: waitanyinvoice: asked for what follows %d, got %d", last, inv.PayIndex)
			fallthrough
		case err != nil:
			if pause.first() {
				r.onError(err)
			}
			pause.waitFor(ctx, r.hint)
		default:
			pause.reset()
			last = inv.PayIndex
			r.set(func() { r.read = last })
			select {
			case queue <- settlement(inv):
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err()
}

// next waits for the next settlement. A node that does not even say that it timed out is given up on.
func (r *Receiver) next(ctx context.Context, last uint64) (Invoice, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTurn+10*time.Second)
	defer cancel()
	return r.c.WaitAnyInvoice(ctx, last, waitTurn)
}

// deliver hands over what was read. What the sink refuses it is given again.
func (r *Receiver) deliver(ctx context.Context, queue <-chan paystream.Settlement, sink paystream.Sink) error {
	var pause backoff
	for {
		batch, ok := gather(ctx, queue)
		if !ok {
			return ctx.Err()
		}
		for {
			err := sink.Deliver(ctx, batch)
			if err == nil {
				break
			}
			if pause.first() {
				r.onError(fmt.Errorf("deliver %d settlements: %w", len(batch), err))
			}
			if !pause.wait(ctx) {
				return ctx.Err()
			}
		}
		pause.reset()
		r.set(func() { r.delivered = batch[len(batch)-1].PayIndex })
	}
}

// gather waits for one settlement and takes along those that are there.
func gather(ctx context.Context, queue <-chan paystream.Settlement) (batch []paystream.Settlement, ok bool) {
	select {
	case s := <-queue:
		batch = append(batch, s)
	case <-ctx.Done():
		return nil, false
	}
	for len(batch) < maxBatch {
		select {
		case s := <-queue:
			batch = append(batch, s)
		default:
			return batch, true
		}
	}
	return batch, true
}

// Sync implements [paystream.Receiver]. It asks the node whether anything was paid beyond what was read, until the
// answer is no, and waits until all that was read is delivered. The time that it returns is the one at which it asked.
func (r *Receiver) Sync(ctx context.Context) (time.Time, error) {
	for {
		read, _, running := r.state()
		if !running {
			return time.Time{}, fmt.Errorf("%w: the receiver does not run", paystream.ErrUnavailable)
		}
		asked := r.now()
		inv, err := r.c.WaitAnyInvoice(ctx, read, 0)
		switch {
		case HasCode(err, CodeWaitTimeout):
			return asked, r.until(ctx, func(_, delivered uint64) bool { return delivered >= read })
		case err != nil:
			return time.Time{}, fmt.Errorf("%w: %w", paystream.ErrUnavailable, err)
		}
		if err := r.until(ctx, func(read, _ uint64) bool { return read >= inv.PayIndex }); err != nil {
			return time.Time{}, err
		}
	}
}

// until waits for the receiver to have come so far.
func (r *Receiver) until(ctx context.Context, ok func(read, delivered uint64) bool) error {
	for {
		r.mu.Lock()
		read, delivered, running, changed := r.read, r.delivered, r.running, r.changed
		r.mu.Unlock()
		switch {
		case ok(read, delivered):
			return nil
		case !running:
			return fmt.Errorf("%w: the receiver has stopped", paystream.ErrUnavailable)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", paystream.ErrUnavailable, context.Cause(ctx))
		}
	}
}

func (r *Receiver) state() (read, delivered uint64, running bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read, r.delivered, r.running
}

func (r *Receiver) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.changed)
	r.changed = make(chan struct{})
}

func settlement(inv Invoice) paystream.Settlement {
	return paystream.Settlement{
		PayIndex: inv.PayIndex, PaymentHash: inv.PaymentHash, Label: inv.Label, Note: inv.PayerNote, OfferID: inv.OfferID,
		AmountMsat: int64(inv.ReceivedMsat), PaidAt: inv.PaidAt.Time,
	}
}
