package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/el-tor/tops/paystream"
)

var (
	_ paystream.PayeeJournal = (*Ledger)(nil)
	_ paystream.PayerJournal = (*Ledger)(nil)
)

// ErrInUse is what [Open] returns, wrapped, when another process has the ledger.
var ErrInUse = errors.New("another process is using this ledger")

// ErrNewer is what [Open] and [OpenReader] return, wrapped, for what a newer
// tops has written.
var ErrNewer = errors.New("this ledger was written by a newer version")

// ErrAway is what a write returns, wrapped, when the database does not answer
// and nothing was written.
var ErrAway = errors.New("the database does not answer")

// ErrBroken is what every write returns, wrapped, when the database is not what
// this process left: another one has written to it, or it forgot a commit.
var ErrBroken = errors.New("the books are not as this process left them: start tops again")

// ErrUnknown is what a write returns, wrapped, when the ledger was closed while
// nobody could say whether it was committed.
var ErrUnknown = errors.New("not known whether it was written, since the database does not answer")

// ErrClosed is returned by what is called after Close.
var ErrClosed = errors.New("the ledger is closed")

// ErrReadOnly is returned by every write to a ledger from [OpenReader].
var ErrReadOnly = errors.New("the ledger was opened for reading")

// Ledger is the journal and the books. Its methods may be called from any
// goroutine.
type Ledger struct {
	backend backend
	db      *sql.DB
	writer  *writer // nil if opened for reading

	closing sync.Once
	err     error // of closing
}

// Options are what [OpenWith] may be told.
type Options struct {
	// Backups is the directory for the backup that is made before a schema is
	// brought up to date; a file's is that of the file.
	Backups string
}

// Open opens the ledger at a place for this process alone, and brings an older
// one up to date after a backup. A place is a path, where a file is created if
// there is none (mode 0600, its directory 0700), or a PostgreSQL URL:
//
//	postgres://tops@db.example/tops?search_path=relay1
//
// The search path names the schema of the tables, "tops" if it is not given. It is
// created too. Each tops that shares the database has one of its own.
func Open(ctx context.Context, place string) (*Ledger, error) { return OpenWith(ctx, place, Options{}) }

// OpenWith is Open with options.
func OpenWith(ctx context.Context, place string, o Options) (*Ledger, error) {
	return open(ctx, place, func(ctx context.Context, l *Ledger, conn *sql.Conn) error {
		return l.migrate(ctx, conn, o)
	})
}

// open opens for writing and has the schema prepared.
func open(ctx context.Context, place string, prepare func(context.Context, *Ledger, *sql.Conn) error) (_ *Ledger, err error) {
	b, err := at(place)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{backend: b}
	defer func() {
		if err != nil {
			l.Close()
			err = fmt.Errorf("ledger %q: %w", b, err)
		}
	}()
	if l.db, err = b.open(ctx, false); err != nil {
		return nil, err
	}
	conn, err := b.writer(ctx, l.db)
	if err != nil {
		return nil, err
	}
	if err := prepare(ctx, l, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if l.writer, err = startWriter(ctx, b, l.db, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return l, nil
}

// OpenReader opens an existing ledger for reading only, also while another
// process writes to it.
func OpenReader(ctx context.Context, place string) (*Ledger, error) {
	l, version, err := openAny(ctx, place)
	if err != nil {
		return nil, err
	}
	if version < len(schema) {
		return nil, errors.Join(fmt.Errorf("ledger %q: schema version %d, and this tops reads %d: start tops once to bring it up to date",
			l.backend, version, len(schema)), l.Close())
	}
	return l, nil
}

// openAny opens a ledger of this or an older schema for reading.
func openAny(ctx context.Context, place string) (_ *Ledger, version int, err error) {
	b, err := at(place)
	if err != nil {
		return nil, 0, fmt.Errorf("ledger: %w", err)
	}
	l := &Ledger{backend: b}
	defer func() {
		if err != nil {
			l.Close()
			err = fmt.Errorf("ledger %q: %w", b, err)
		}
	}()
	if l.db, err = b.open(ctx, true); err != nil {
		return nil, 0, err
	}
	if version, err = schemaVersion(ctx, l.db); err != nil {
		return nil, 0, err
	}
	return l, version, knownVersion(version)
}

// Close finishes the commits that were taken and closes the database.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		var errs []error
		if l.writer != nil {
			errs = append(errs, l.writer.close())
		}
		if l.db != nil {
			errs = append(errs, l.db.Close())
		}
		l.err = errors.Join(append(errs, l.backend.close())...)
	})
	return l.err
}

// Wait returns when ctx ends, or when the books cannot be written any more and
// only a new start can find out what is in them; then it says why.
func (l *Ledger) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.writer.broken:
		return l.writer.why
	}
}

// write has the writer do something, durably.
func (l *Ledger) write(ctx context.Context, do func(*statements) error) error {
	if l.writer == nil {
		return ErrReadOnly
	}
	return l.writer.do(ctx, do)
}
