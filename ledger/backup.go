package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/el-tor/tops/internal/statefile"
)

// ErrExists is what [Ledger.Backup] and [Restore] return, wrapped, rather than
// write over something.
var ErrExists = errors.New("there is something already")

// Backup writes the whole ledger, secrets included, as it is at one moment, into
// a new file of mode 0600, and verifies it. Others may write meanwhile. The file
// is a SQLite ledger, whatever this one is: [Restore] takes it to either.
func (l *Ledger) Backup(ctx context.Context, file string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("backup %q: %w", file, err)
		}
	}()
	mine, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // nobody else takes the name meanwhile
	if errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".backup-*")
	if err == nil {
		made := filepath.Join(dir, "ledger.db")
		if err = l.copyTo(ctx, made); err == nil {
			err = os.Rename(made, file)
		}
	}
	err = errors.Join(err, mine.Close(), os.RemoveAll(dir))
	if err != nil {
		return errors.Join(err, os.Remove(file))
	}
	return statefile.SyncDir(filepath.Dir(file))
}

// copyTo makes a new file of the same schema and contents.
func (l *Ledger) copyTo(ctx context.Context, file string) error {
	from, err := l.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one moment for all tables
	if err != nil {
		return err
	}
	defer from.Rollback()
	version, err := schemaVersion(ctx, from)
	if err != nil {
		return err
	}
	to, err := open(ctx, file, func(ctx context.Context, to *Ledger, conn *sql.Conn) error {
		return to.fill(ctx, conn, from, version)
	})
	if err != nil {
		return err
	}
	if version == len(schema) {
		err = to.Verify(ctx)
	}
	return errors.Join(err, to.Close())
}

// Restore makes a ledger at a place where there is none out of a backup, and
// brings it up to date. A tops that runs there, and books that are there, are
// left alone: [ErrInUse], [ErrExists].
func Restore(ctx context.Context, file, place string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore: %w", err)
		}
	}()
	if IsURL(file) {
		return errors.New("a backup is a file")
	}
	backup, version, err := openAny(ctx, file)
	if err != nil {
		return err
	}
	defer backup.Close()
	if version == len(schema) {
		err = backup.Verify(ctx)
	} else {
		err = backup.backend.check(ctx, backup.db)
	}
	if err != nil {
		return fmt.Errorf("this backup is damaged: %w", err)
	}
	from, err := backup.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer from.Rollback()
	if _, statErr := os.Stat(place); !IsURL(place) && errors.Is(statErr, fs.ErrNotExist) {
		defer func() {
			if err != nil { // leave no half of a ledger
				_ = errors.Join(os.Remove(place), os.Remove(place+"-wal"), os.Remove(place+"-shm"))
			}
		}()
	}
	to, err := open(ctx, place, func(ctx context.Context, to *Ledger, conn *sql.Conn) error {
		if err := to.fill(ctx, conn, from, version); err != nil {
			return err
		}
		for version++; version <= len(schema); version++ { // the backup is the backup
			if err := step(ctx, conn, version); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(to.Verify(ctx), to.Close())
}

// fill makes the tables of a schema version and copies what is in them, all or
// nothing.
func (l *Ledger) fill(ctx context.Context, conn *sql.Conn, from *sql.Tx, version int) error {
	there, err := prepareSchema(ctx, conn)
	if err != nil {
		return err
	}
	if there > 0 {
		return fmt.Errorf("%w: move it away first", ErrExists)
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for v := 1; v <= version; v++ {
		if err := takeStep(ctx, tx, v); err != nil {
			return err
		}
	}
	rows, err := tx.QueryContext(ctx, l.backend.tables())
	tables, err := collect(rows, err, func(row scanner) (name string, err error) {
		err = row.Scan(&name)
		return name, err
	})
	if err != nil {
		return err
	}
	for _, table := range tables {
		if table == "schema_versions" {
			continue
		}
		if err := copyTable(ctx, tx, from, table); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	return tx.Commit()
}

func copyTable(ctx context.Context, to, from *sql.Tx, table string) error {
	rows, err := from.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	places := make([]string, len(columns))
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range columns {
		places[i], into[i] = fmt.Sprintf("$%d", i+1), &values[i]
	}
	insert, err := to.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(columns, ", "), strings.Join(places, ", ")))
	if err != nil {
		return err
	}
	defer insert.Close()
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, v := range values { // SQLite has numbers for true and false
			if n, ok := v.(int64); ok && types[i].DatabaseTypeName() == "BOOLEAN" {
				values[i] = n != 0
			}
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return rows.Err()
}
