package ledger

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed" // the schema
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

//go:embed schema/1.sql
var schema1 string

//go:embed schema/2.sql
var schema2 string

// schema lists the steps that lead from an empty database to the present one.
// Steps are added, never changed: there are files out there that took them.
var schema = []string{schema1, schema2}

// querier is a database or one connection to it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaVersion is how many steps a database has taken.
func schemaVersion(ctx context.Context, q querier) (version int, err error) {
	err = q.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_versions").Scan(&version)
	return version, err
}

// knownVersion refuses what a newer tops has written.
func knownVersion(version int) error {
	if version > len(schema) {
		return fmt.Errorf("%w (schema %d, known: %d): use that version, or restore a backup from before", ErrNewer, version, len(schema))
	}
	return nil
}

// migrate takes the steps that a database lacks, each whole or not at all. What
// is in it is backed up first.
func (l *Ledger) migrate(ctx context.Context, conn *sql.Conn, o Options) error {
	version, err := prepareSchema(ctx, conn)
	if err != nil {
		return err
	}
	if err := knownVersion(version); err != nil {
		return err
	}
	if 0 < version && version < len(schema) {
		dir := cmp.Or(l.backend.backupDir(), o.Backups)
		if dir == "" {
			return fmt.Errorf("schema version %d, and this tops writes %d: back it up and start tops run, which brings it up to date", version, len(schema))
		}
		name := fmt.Sprintf("ledger-schema%d-%s.db", version, time.Now().UTC().Format("20060102T150405Z"))
		if err := l.Backup(ctx, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("backup before the schema is changed: %w", err)
		}
	}
	for ; version < len(schema); version++ {
		if err := step(ctx, conn, version+1); err != nil {
			return fmt.Errorf("schema step %d: %w", version+1, err)
		}
	}
	return nil
}

// prepareSchema makes the table of versions, and says which one there is.
func prepareSchema(ctx context.Context, conn *sql.Conn) (version int, err error) {
	if _, err := conn.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY)"); err != nil {
		return 0, err
	}
	return schemaVersion(ctx, conn)
}

func step(ctx context.Context, conn *sql.Conn, version int) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := takeStep(ctx, tx, version); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func takeStep(ctx context.Context, tx *sql.Tx, version int) error {
	if _, err := tx.ExecContext(ctx, schema[version-1]); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO schema_versions (version) VALUES ($1)", version)
	return err
}
