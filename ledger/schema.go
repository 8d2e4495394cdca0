package ledger

import (
	"context"
	"database/sql"
	_ "embed" // the schema
	"errors"
	"fmt"
)

//go:embed schema/1.sql
var schema1 string

// schema lists the steps that lead from an empty database to the present one.
// Steps are added, never changed: there are files out there that took them.
var schema = [...]string{schema1}

// querier is a database or one connection to it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaVersion is how many steps a database has taken.
func schemaVersion(ctx context.Context, q querier) (version int, err error) {
	err = q.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM schema_versions").Scan(&version)
	return version, err
}

// migrate takes the steps that a database lacks, each whole or not at all.
func migrate(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY)"); err != nil {
		return err
	}
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return err
	}
	if version > len(schema) {
		return fmt.Errorf("%w (schema %d, known: %d): use that version", ErrNewer, version, len(schema))
	}
	for ; version < len(schema); version++ {
		if err := step(ctx, conn, version+1); err != nil {
			return fmt.Errorf("schema step %d: %w", version+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, conn *sql.Conn, version int) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, schema[version-1])
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO schema_versions (version) VALUES ($1)", version)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
