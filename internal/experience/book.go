package experience

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/el-tor/tops/internal/statefile"
)

const (
	// maxRelays bounds the book. Nobody pays so many relays in a half-life.
	maxRelays = 2000

	// forgotten is the size below which a score is not worth its place.
	forgotten = 0.05

	// saveEvery is how much may be lost when the process is killed.
	saveEvery = 10 * time.Minute
)

// Options say how a book counts.
type Options struct {
	HalfLife time.Duration // above 0
	Now      func() time.Time
}

// A Book keeps the scores of relays, by fingerprint. Its methods may be called
// by many goroutines.
type Book struct {
	path string
	Options

	mu      sync.Mutex // guards what follows
	relays  map[string]*entry
	changed bool // since it was saved
}

type entry struct {
	Score
	at time.Time // when its figures were right
}

// file is what is written. It has one moment for all relays on purpose.
type file struct {
	At     time.Time        `json:"at"`
	Relays map[string]Score `json:"relays"`
}

// Open reads a book, or begins one where there is none.
func Open(path string, o Options) (*Book, error) {
	b := New(path, o)
	var f file
	if err := statefile.Load(path, &f); err != nil {
		return nil, fmt.Errorf("experience of relays: %w", err)
	}
	for relay, score := range f.Relays {
		if score.valid() {
			b.relays[relay] = &entry{score, f.At}
		}
	}
	b.boundLocked()
	return b, nil
}

// New begins a book in which nothing is written yet.
func New(path string, o Options) *Book {
	return &Book{path: path, Options: o, relays: make(map[string]*entry)}
}

// GoodRound notes a round that was worth its price.
func (b *Book) GoodRound(relay string) { b.note(relay, func(s *Score) { s.Good++ }) }

// BadRound notes one that was not.
func (b *Book) BadRound(relay string) { b.note(relay, func(s *Score) { s.Bad++ }) }

// BuildFailed notes that a circuit to a relay, or the pay stream on it, could
// not be opened, and that it was the relay's fault as far as one can tell.
func (b *Book) BuildFailed(relay string) { b.note(relay, func(s *Score) { s.Failed++ }) }

// FirstByte notes how long a connection's first byte took.
func (b *Book) FirstByte(relay string, took time.Duration) {
	if took > 0 {
		b.note(relay, func(s *Score) { s.Answers++; s.AnswerSeconds += took.Seconds() })
	}
}

// Goodput notes bytes that came while somebody waited for them.
func (b *Book) Goodput(relay string, bytes int64, waited time.Duration) {
	if bytes >= 0 && waited > 0 {
		b.note(relay, func(s *Score) { s.Bytes += float64(bytes); s.WaitedSeconds += waited.Seconds() })
	}
}

func (b *Book) note(relay string, change func(*Score)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.relays[relay]
	if e == nil {
		if len(b.relays) >= maxRelays+maxRelays/10 {
			b.boundLocked()
		}
		e = &entry{at: b.Now()}
		b.relays[relay] = e
	}
	b.ageLocked(e)
	change(&e.Score)
	b.changed = true
}

// ageLocked brings an entry up to now.
func (b *Book) ageLocked(e *entry) {
	now := b.Now()
	e.decay(now.Sub(e.at), b.HalfLife)
	e.at = now
}

// Score is what is remembered of a relay by now.
func (b *Book) Score(relay string) Score {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.relays[relay]
	if e == nil {
		return Score{}
	}
	b.ageLocked(e)
	return e.Score
}

// boundLocked forgets what is all but gone, and the least of what is too much.
func (b *Book) boundLocked() {
	relays := make([]string, 0, len(b.relays))
	for relay, e := range b.relays {
		b.ageLocked(e)
		if e.size() < forgotten {
			delete(b.relays, relay)
			continue
		}
		relays = append(relays, relay)
	}
	if len(relays) <= maxRelays {
		return
	}
	slices.SortFunc(relays, func(x, y string) int { return cmp.Compare(b.relays[x].size(), b.relays[y].size()) })
	for _, relay := range relays[:len(relays)-maxRelays] {
		delete(b.relays, relay)
	}
}

// Save writes the book, if anything has changed.
func (b *Book) Save() error {
	f, changed := b.snapshot()
	if !changed {
		return nil
	}
	if err := statefile.Save(b.path, f); err != nil {
		b.mu.Lock()
		b.changed = true
		b.mu.Unlock()
		return fmt.Errorf("experience of relays: %w", err)
	}
	return nil
}

func (b *Book) snapshot() (f file, changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.changed {
		return file{}, false
	}
	b.changed = false
	b.boundLocked()
	f = file{At: b.Now().UTC().Truncate(time.Hour), Relays: make(map[string]Score, len(b.relays))}
	for relay, e := range b.relays {
		f.Relays[relay] = e.Score
	}
	return f, true
}

// Run saves the book now and then until ctx ends, and a last time then. failed
// is told of what could not be written.
func (b *Book) Run(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			if err := b.Save(); err != nil {
				failed(err)
			}
			return
		}
		if err := b.Save(); err != nil {
			failed(err)
		}
	}
}
