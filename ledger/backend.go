package ledger

import (
	"context"
	"database/sql"
	"strings"
)

// backend is what SQLite and PostgreSQL do each in its own way. Everything else
// in this package speaks the SQL that both understand.
type backend interface {
	// String names the database, without a password.
	String() string
	// open connects; for writing, it keeps other writers out or fails with ErrInUse.
	open(ctx context.Context, readOnly bool) (*sql.DB, error)
	// writer is a connection to write on. While it lives nobody else has one.
	writer(ctx context.Context, db *sql.DB) (*sql.Conn, error)
	// begin is the statement that begins a transaction that writes.
	begin() string
	// remote reports whether the writer's connection may be lost.
	remote() bool
	// lost reports whether a connection is gone, so that nobody told
	// what became of the last statement.
	lost(*sql.Conn) bool
	// check has the database look at itself.
	check(ctx context.Context, db *sql.DB) error
	// forgotten is called after rows were deleted, which should leave no trace.
	forgotten(ctx context.Context, db *sql.DB) error
	// tables is a query for their names.
	tables() string
	// backupDir is where a backup goes that nobody asked for; empty: nowhere.
	backupDir() string
	close() error
}

// at is the backend for a place: a PostgreSQL URL or a path.
func at(place string) (backend, error) {
	if IsURL(place) {
		return parsePostgres(place)
	}
	return &sqliteFile{path: place}, nil
}

// IsURL reports whether a place is a PostgreSQL database, and not a file.
func IsURL(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}
