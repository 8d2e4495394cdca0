package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteFile is a ledger in a file.
type sqliteFile struct {
	path string
	lock *os.File // nil if opened for reading
}

func (f *sqliteFile) String() string { return f.path }

func (f *sqliteFile) open(_ context.Context, readOnly bool) (*sql.DB, error) {
	if readOnly {
		if _, err := os.Stat(f.path); err != nil {
			return nil, err
		}
		return openSQLite(f.path, true)
	}
	err := prepareFile(f.path)
	if err != nil {
		return nil, err
	}
	if f.lock, err = lockFile(f.path + ".lock"); err != nil {
		return nil, err
	}
	return openSQLite(f.path, false)
}

// writer needs no more than the lock on the file.
func (*sqliteFile) writer(ctx context.Context, db *sql.DB) (*sql.Conn, error) { return db.Conn(ctx) }

// begin takes the write lock at once: a transaction that reads first and
// writes later could be refused half-way.
func (*sqliteFile) begin() string { return "BEGIN IMMEDIATE" }

func (*sqliteFile) remote() bool { return false }

// lost is never so: the database is in this process.
func (*sqliteFile) lost(*sql.Conn) bool { return false }

func (f *sqliteFile) close() error {
	if f.lock == nil {
		return nil
	}
	// Closing alone would leave the lock with a process that is just being forked.
	return errors.Join(unix.Flock(int(f.lock.Fd()), unix.LOCK_UN), f.lock.Close())
}

// backupDir is where the file lies.
func (f *sqliteFile) backupDir() string { return filepath.Dir(f.path) }

func (*sqliteFile) tables() string {
	return `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`
}

// openSQLite opens the file with one durable fsync per commit. Readers do not
// wait for the writer (WAL), nor it for them. What is deleted is overwritten,
// and nothing is sorted in temporary files elsewhere.
func openSQLite(path string, readOnly bool) (*sql.DB, error) {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "foreign_keys(1)", "temp_store(MEMORY)"}}
	if readOnly {
		q.Set("mode", "ro")
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "synchronous(FULL)")
		q.Add("_pragma", "secure_delete(1)")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	name := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4) // the writer's, and a few readers
	return db, nil
}

// check has the database look at its own pages and indexes.
func (*sqliteFile) check(ctx context.Context, db *sql.DB) (err error) {
	rows, err := db.QueryContext(ctx, "PRAGMA integrity_check(10)")
	if err != nil {
		return err
	}
	defer rows.Close()
	var found []error
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			found = append(found, fmt.Errorf("the file is damaged: %s", line))
		}
	}
	return errors.Join(append(found, rows.Err())...)
}

// forgotten moves what is in the write-ahead log to the file: until then the log
// still has what was deleted.
func (*sqliteFile) forgotten(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}

// prepareFile makes the file before SQLite does, to give it its mode; SQLite
// gives the same to the files beside it.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// lockFile keeps other processes out for as long as the file is open: the
// kernel lets go of it with the process, however that ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = fmt.Errorf("%w (it holds %q): stop it, or give this one a ledger of its own", ErrInUse, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
