package paystream

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/el-tor/tops/policies"
)

// RememberFor is how long a closed pay stream, an unclaimed payment and retired
// terms are remembered: longer than any invoice can still be paid.
const RememberFor = 3 * time.Hour

// PayeeConfig is what a [Payee] works with. Terms, Carrier, Receiver, Journal,
// Ours and Now are required.
type PayeeConfig struct {
	Terms    policies.Terms
	Carrier  Carrier
	Receiver Receiver
	Journal  PayeeJournal

	// Ours reports whether an offer of the node was made for this relay. Several
	// relays may share a node; each leaves alone what is not its own.
	Ours func(offerID string) bool

	// OursPlain says the same of a plain invoice, by its description; nil: the node
	// serves nobody else. What is paid for a pay stream of ours is ours in any case.
	OursPlain func(description string) bool

	// Now is a clock that neither jumps nor stops while the process lives.
	Now func() time.Time

	// Opening says what is asked of an intent before anything is served, one call
	// at a time: see [Ladder]. It must not call back; nil asks for nothing.
	Opening func(Load) Opening

	// OutageGrace is how long a relay serves while its own node is away; after it
	// the carrier pauses. Zero means 10 minutes.
	OutageGrace time.Duration

	// MaxPayStreams bounds the pay streams in memory, closed ones that are still
	// remembered included. Zero means 200,000.
	MaxPayStreams int

	// Emit hears of every change. It must return at once and not call back.
	Emit func(Event)

	// OnError is told that the journal cannot be written, once when it begins. The
	// payee goes on: it credits nothing meanwhile, so that it can cut nobody whose
	// payment waits, and tries again. It may be nil.
	OnError func(error)
}

// Payee is the relay's side of the protocol: it admits intents, credits what its
// node received, and lets the carrier serve whoever has paid. Its methods may be
// called from many goroutines.
type Payee struct {
	cfg PayeeConfig

	// books is held from matching a settlement to its being durable and applied,
	// so that no two of them race for the same balance. Taken before mu.
	books sync.Mutex
	doubt bool // the journal may know of credits that are not in memory; guarded by books

	mu         sync.Mutex // guards everything below
	terms      *tariff
	tariffs    map[policies.TermsHash]*tariff
	byHash     map[PaymentIDHash]*payeeStream
	byHandle   map[Handle]*payeeStream
	notes      noteIndex
	unclaimed  map[RoundID][]Settlement
	agenda     agenda[payeeStream, *payeeStream]
	overdue    map[*payeeStream]struct{} // deadlines that passed and wait for the watermark
	unwritten  map[*payeeStream]struct{} // changed, and the journal does not know it yet
	expendable []*payeeStream            // over and never credited, oldest first
	live       int                       // pay streams that are not over
	free       int                       // of them, those that have paid for no round yet
	newcomers  perMinute                 // intents that brought no money
	at         Position                  // delivered
	committed  uint64                    // the pay_index that is durable
	node       nodeWatch

	wake  chan struct{} // the agenda has a new first entry
	judge chan struct{} // somebody is overdue
	write chan struct{} // somebody's record has to be written
}

// tariff is a set of terms with what is derived from it, shared by all the pay
// streams under it.
type tariff struct {
	policies.Terms
	hash    policies.TermsHash
	prices  policies.Schedule
	retired time.Time // zero while offered
}

func newTariff(t policies.Terms) *tariff {
	return &tariff{Terms: t, hash: t.Hash(), prices: t.Schedule()}
}

// NewPayee makes a payee that knows nothing yet: call Recover, then Run.
func NewPayee(cfg PayeeConfig) *Payee {
	if cfg.OutageGrace == 0 {
		cfg.OutageGrace = 10 * time.Minute
	}
	if cfg.MaxPayStreams == 0 {
		cfg.MaxPayStreams = 200_000
	}
	if cfg.Emit == nil {
		cfg.Emit = func(Event) {}
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	if cfg.Opening == nil {
		cfg.Opening = func(Load) Opening { return OpenFree }
	}
	p := &Payee{
		cfg:       cfg,
		terms:     newTariff(cfg.Terms),
		tariffs:   make(map[policies.TermsHash]*tariff),
		byHash:    make(map[PaymentIDHash]*payeeStream),
		byHandle:  make(map[Handle]*payeeStream),
		unclaimed: make(map[RoundID][]Settlement),
		overdue:   make(map[*payeeStream]struct{}),
		unwritten: make(map[*payeeStream]struct{}),
		wake:      make(chan struct{}, 1),
		judge:     make(chan struct{}, 1),
		write:     make(chan struct{}, 1),
	}
	p.tariffs[p.terms.hash] = p.terms
	p.node.since = cfg.Now() // nothing is known of the node until it answers
	p.node.starting = true
	return p
}

// Terms are those that new intents are held to.
func (p *Payee) Terms() policies.Terms {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.terms.Terms
}

// SetTerms offers new terms. Pay streams that run keep theirs, and the old ones
// are accepted for RememberFor from whoever already paid under them.
func (p *Payee) SetTerms(ctx context.Context, t policies.Terms) error {
	if err := t.Validate(); err != nil {
		return err
	}
	now := p.cfg.Now()
	p.mu.Lock()
	old, next := p.terms, newTariff(t)
	if old.hash == next.hash {
		p.mu.Unlock()
		return nil
	}
	if known := p.tariffs[next.hash]; known != nil {
		next = known
	}
	p.mu.Unlock()

	if err := p.recordTerms(ctx, RetiredTerms{Terms: old.Terms, Retired: now}, RetiredTerms{Terms: t}); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old.retired, next.retired = now, time.Time{}
	p.tariffs[next.hash], p.terms = next, next
	return nil
}

// View is the payee's view of a pay stream. A closed one that is remembered has
// nothing due.
func (p *Payee) View(_ context.Context, h PaymentIDHash) (View, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.byHash[h]
	if s == nil {
		return View{}, ErrUnknown
	}
	return p.viewLocked(s, p.cfg.Now()), nil
}

// Authorize says which pay stream a new connection counts to.
func (p *Payee) Authorize(_ context.Context, h PaymentIDHash) (Handle, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.byHash[h]
	if s == nil {
		return "", ErrUnknown
	}
	if s.state.over() {
		return "", &Demand{Reason: s.reason}
	}
	if p.node.paused {
		return "", &Busy{RetryAfter: 30 * time.Second, Reason: "the relay's lightning node does not answer"}
	}
	s = s.serving()
	if used := s.used(p.cfg.Carrier); used >= s.allowance() {
		if r := s.nextPayable(); r <= s.tariff.Rounds {
			return "", &Demand{DueMsat: s.dueMsat(), Note: s.note(r)}
		}
		return "", &Busy{RetryAfter: s.due(s.tariff.Rounds).Sub(p.cfg.Now()), Reason: "every byte of this pay stream is used"}
	}
	return s.handle, nil
}

// End ends a pay stream at its payer's wish. Nothing is refunded.
func (p *Payee) End(ctx context.Context, h PaymentIDHash, preimage Preimage) (View, error) {
	if preimage.Hash() != h {
		return View{}, ErrPreimage
	}
	p.mu.Lock()
	s := p.byHash[h]
	if s == nil {
		p.mu.Unlock()
		return View{}, ErrUnknown
	}
	now := p.cfg.Now()
	var changed []*payeeStream
	if !s.state.over() {
		changed = p.applyLocked(s, payeeEnd, ReasonClient, now)
	}
	view := p.viewLocked(s, now)
	p.mu.Unlock()
	return view, p.record(ctx, changed)
}

// PayStreams lists the views of all pay streams that are remembered, by handle.
func (p *Payee) PayStreams() map[Handle]PayeeStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Now()
	out := make(map[Handle]PayeeStatus, len(p.byHandle))
	for h, s := range p.byHandle {
		out[h] = PayeeStatus{View: p.viewLocked(s, now), Status: s.status(now), Reason: s.reason, Rounds: s.tariff.Rounds}
	}
	return out
}

// PayeeStatus is a pay stream as the relay's operator sees it.
type PayeeStatus struct {
	View
	Status Status
	Reason Reason
	Rounds int
}

// record writes down pay streams that changed. What cannot be written now stays
// noted, and is tried again.
func (p *Payee) record(ctx context.Context, changed []*payeeStream) error {
	p.mu.Lock()
	p.noteLocked(changed)
	p.mu.Unlock()
	return p.writeUnwritten(ctx)
}

// noteLocked notes pay streams whose record has to be written.
func (p *Payee) noteLocked(changed []*payeeStream) {
	for _, s := range changed {
		p.unwritten[s] = struct{}{}
	}
	if len(changed) > 0 {
		signal(p.write)
	}
}

// writeUnwritten writes down pay streams as they are by the time that the books
// are free: an older state never overwrites a newer one. An intent that never
// paid needs no disk.
func (p *Payee) writeUnwritten(ctx context.Context) error {
	p.books.Lock()
	defer p.books.Unlock()
	if err := p.reread(ctx); err != nil {
		return err
	}
	var b PayeeBatch
	p.mu.Lock()
	now, todo := p.cfg.Now(), p.unwritten
	p.unwritten = make(map[*payeeStream]struct{})
	for s := range todo {
		if s.journalled {
			b.Streams = append(b.Streams, p.recordLocked(s, now))
		}
	}
	p.mu.Unlock()
	if len(b.Streams) == 0 {
		return nil
	}
	if _, err := p.cfg.Journal.CommitPayee(context.WithoutCancel(ctx), b); err != nil {
		p.mu.Lock()
		maps.Copy(p.unwritten, todo)
		p.mu.Unlock()
		return fmt.Errorf("journal pay streams: %w", err)
	}
	return nil
}

// recordTerms writes down which terms are offered, and which were.
func (p *Payee) recordTerms(ctx context.Context, list ...RetiredTerms) error {
	p.books.Lock()
	defer p.books.Unlock()
	if _, err := p.cfg.Journal.CommitPayee(context.WithoutCancel(ctx), PayeeBatch{Terms: list}); err != nil {
		return fmt.Errorf("journal terms: %w", err)
	}
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
