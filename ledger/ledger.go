package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/el-tor/tops/paystream"
)

var (
	_ paystream.PayeeJournal = (*Ledger)(nil)
	_ paystream.PayerJournal = (*Ledger)(nil)
)

// ErrInUse is what [Open] returns, wrapped, when another process has the file.
var ErrInUse = errors.New("another process is using this ledger")

// ErrNewer is what [Open] and [OpenReader] return, wrapped, for a file that a
// newer tops has written.
var ErrNewer = errors.New("this ledger was written by a newer version")

// ErrClosed is returned by what is called after Close.
var ErrClosed = errors.New("the ledger is closed")

// ErrReadOnly is returned by every write to a ledger from [OpenReader].
var ErrReadOnly = errors.New("the ledger was opened for reading")

// Ledger is the journal and the books. Its methods may be called from any
// goroutine.
type Ledger struct {
	db     *sql.DB
	writer *writer  // nil if opened for reading
	lock   *os.File // nil if opened for reading

	closing sync.Once
	err     error // of closing
}

// Open opens the ledger at path for this process alone, creates it if it is not
// there (mode 0600, its directory 0700), and brings an older one up to date.
func Open(ctx context.Context, path string) (_ *Ledger, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("ledger %q: %w", path, err)
		}
	}()
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l := &Ledger{lock: lock}
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.db, err = openSQLite(path, false); err != nil {
		return nil, err
	}
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	l.writer = startWriter(conn)
	return l, nil
}

// OpenReader opens an existing ledger for reading only, also while another
// process writes to it.
func OpenReader(ctx context.Context, path string) (_ *Ledger, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("ledger %q: %w", path, err)
		}
	}()
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := openSQLite(path, true)
	if err != nil {
		return nil, err
	}
	version, err := schemaVersion(ctx, db)
	if err == nil && version != len(schema) {
		err = fmt.Errorf("schema version %d, and this tops reads %d: start tops once to bring it up to date", version, len(schema))
		if version > len(schema) {
			err = fmt.Errorf("%w (schema %d, known: %d)", ErrNewer, version, len(schema))
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Ledger{db: db}, nil
}

// Close finishes the commits that were taken and closes the file.
func (l *Ledger) Close() error {
	l.closing.Do(func() {
		var errs []error
		if l.writer != nil {
			errs = append(errs, l.writer.close())
		}
		if l.db != nil {
			errs = append(errs, l.db.Close())
		}
		if l.lock != nil {
			errs = append(errs, l.lock.Close()) // and so unlock
		}
		l.err = errors.Join(errs...)
	})
	return l.err
}

// write has the writer do something, durably.
func (l *Ledger) write(ctx context.Context, do func(*statements) error) error {
	if l.writer == nil {
		return ErrReadOnly
	}
	return l.writer.do(ctx, do)
}
