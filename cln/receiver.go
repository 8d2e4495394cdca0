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
	FrontingNodes []string         // peers that offers begin at, so that payers go through them; none: as the node is configured
	Now           func() time.Time // nil is time.Now
	// OnError is told what went wrong with the node or the sink, once when it begins; work goes on. It may be nil.
	OnError func(error)
	// OnRestored is told that the node was restored from an older state, once each time. It may be nil.
	OnRestored func(Restored)
}

// Receiver follows what a Core Lightning node is paid. Run it once at a time; the other methods may be called meanwhile.
type Receiver struct {
	c          *Client
	now        func() time.Time
	expiry     time.Duration
	onError    func(error)
	onRestored func(Restored)
	fronts     []string
	hint       chan struct{}      // ask now, whatever happened
	lost       paystream.Position // that the node did not remember, until it is clear why; follow's own

	mu       sync.Mutex // protects what follows
	progress progress
	changed  chan struct{} // closed when it changes
}

// progress is how far a receiver is.
type progress struct {
	running    bool
	read       uint64             // the last pay_index that was read
	delivered  uint64             // the last that the sink has made durable
	connection uint64             // on which the node was found to remember what was read before
	stop       context.CancelFunc // ends the wait for the next payment
}

var _ paystream.Receiver = (*Receiver)(nil)

const (
	readAhead = 1024             // settlements read while the sink is busy
	maxBatch  = 512              // and given to it at once
	waitTurn  = 20 * time.Second // one waitanyinvoice; shorter than any idle connection is worth worrying about
)

// NewReceiver returns a receiver over the client, which stays the caller's to close.
func NewReceiver(c *Client, opts ReceiverOptions) *Receiver {
	r := &Receiver{c: c, now: opts.Now, expiry: opts.InvoiceExpiry, onError: opts.OnError, onRestored: opts.OnRestored, fronts: opts.FrontingNodes, hint: make(chan struct{}, 1), changed: make(chan struct{})}
	if r.now == nil {
		r.now = time.Now
	}
	if r.expiry == 0 {
		r.expiry = 15 * time.Minute
	}
	if r.onError == nil {
		r.onError = func(error) {}
	}
	if r.onRestored == nil {
		r.onRestored = func(Restored) {}
	}
	return r
}

// Run implements [paystream.Receiver]. It reads on while the sink commits, so that batches grow with the load: one
// settlement each when little happens, [maxBatch] after an outage.
//
// Whenever the node was reached anew it is asked whether it remembers what was followed: see [Restored].
func (r *Receiver) Run(ctx context.Context, from paystream.Position, sink paystream.Sink) error {
	if err := r.start(from.PayIndex); err != nil {
		return err
	}
	defer r.set(func(s *progress) { s.running = false })
	queue := make(chan paystream.Settlement, readAhead)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.follow(ctx, from, queue, sink) })
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
	if r.progress.running {
		return errors.New("lightning: the receiver runs already")
	}
	r.progress = progress{running: true, read: from, delivered: from}
	return nil
}

// follow reads settlements in order, and asks again after whatever happened.
func (r *Receiver) follow(ctx context.Context, last paystream.Position, queue chan<- paystream.Settlement, sink paystream.Sink) error {
	var pause backoff
	for ctx.Err() == nil {
		inv, err := r.next(ctx, &last, sink)
		switch {
		case ctx.Err() != nil:
		case HasCode(err, CodeWaitTimeout), errors.Is(err, errReconnected):
			pause.reset()
		case err == nil && inv.PayIndex <= last.PayIndex:
			err = fmt.Errorf("lightning: waitanyinvoice: asked for what follows %d, got %d", last.PayIndex, inv.PayIndex)
			fallthrough
		case err != nil:
			if pause.first() {
				r.onError(err)
			}
			pause.waitFor(ctx, r.hint)
		default:
			pause.reset()
			r.sawAfterLoss(inv, last.PayIndex)
			s := settlement(inv)
			last = s.Position()
			r.set(func(p *progress) { p.read = last.PayIndex })
			select {
			case queue <- s:
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err()
}

// errReconnected says that the node has to be looked at anew before anything that it says counts.
var errReconnected = errors.New("lightning: the node was reached anew")

// next waits for the next settlement after last, which a node that was reached anew may move. A node that does not even
// say that it timed out is given up on.
func (r *Receiver) next(ctx context.Context, last *paystream.Position, sink paystream.Sink) (Invoice, error) {
	ctx, cancel := context.WithTimeout(ctx, waitTurn+10*time.Second)
	defer cancel()
	connection, err := r.c.connection(ctx)
	if err != nil {
		return Invoice{}, err
	}
	if r.state().connection != connection {
		if *last, err = r.compare(ctx, *last, sink); err != nil {
			return Invoice{}, err
		}
		if !r.same(ctx, connection) {
			return Invoice{}, errReconnected // by whom was it answered?
		}
	}
	r.set(func(s *progress) { s.connection, s.stop = connection, cancel })
	inv, err := r.c.WaitAnyInvoice(ctx, last.PayIndex, waitTurn)
	stopped := errors.Is(ctx.Err(), context.Canceled)
	if stopped || (err == nil || HasCode(err, CodeWaitTimeout)) && !r.same(ctx, connection) {
		return Invoice{}, errReconnected
	}
	return inv, err
}

// same reports whether the client still has the connection.
func (r *Receiver) same(ctx context.Context, connection uint64) bool {
	now, err := r.c.connection(ctx)
	return err == nil && now == connection
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
		r.set(func(s *progress) { s.delivered = batch[len(batch)-1].PayIndex })
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
		was := r.state()
		if !was.running {
			return time.Time{}, fmt.Errorf("%w: the receiver does not run", paystream.ErrUnavailable)
		}
		asked := r.now()
		inv, err := r.c.WaitAnyInvoice(ctx, was.read, 0)
		if err != nil && !HasCode(err, CodeWaitTimeout) {
			return time.Time{}, fmt.Errorf("%w: %w", paystream.ErrUnavailable, err)
		}
		connection, cerr := r.c.connection(ctx)
		switch {
		case cerr != nil:
			return time.Time{}, fmt.Errorf("%w: %w", paystream.ErrUnavailable, cerr)
		case was.connection != connection: // what was read may not be what this node counts
			if was.stop != nil {
				was.stop()
			}
			r.Look()
			err = r.until(ctx, func(s progress) bool { return s.connection >= connection })
		case err == nil:
			err = r.until(ctx, func(s progress) bool { return s.read >= inv.PayIndex || s.connection != connection })
		default: // nothing more
			err = r.until(ctx, func(s progress) bool { return s.delivered >= was.read || s.connection != connection })
			if err == nil && r.state().connection == connection {
				return asked, nil
			}
		}
		if err != nil {
			return time.Time{}, err
		}
	}
}

// until waits for the receiver to have come so far.
func (r *Receiver) until(ctx context.Context, ok func(progress) bool) error {
	for {
		r.mu.Lock()
		is, changed := r.progress, r.changed
		r.mu.Unlock()
		switch {
		case ok(is):
			return nil
		case !is.running:
			return fmt.Errorf("%w: the receiver has stopped", paystream.ErrUnavailable)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", paystream.ErrUnavailable, context.Cause(ctx))
		}
	}
}

func (r *Receiver) state() progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

func (r *Receiver) set(change func(*progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.progress)
	close(r.changed)
	r.changed = make(chan struct{})
}

func settlement(inv Invoice) paystream.Settlement {
	s := paystream.Settlement{
		PayIndex: inv.PayIndex, PaymentHash: inv.PaymentHash, Label: inv.Label, Note: inv.PayerNote, OfferID: inv.OfferID,
		AmountMsat: int64(inv.ReceivedMsat), PaidAt: inv.PaidAt.Time,
	}
	if inv.OfferID == "" {
		s.Description = inv.Description
	}
	return s
}
