package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/ledger"
)

// books opens the books of a configuration for reading, also while tops runs.
func (c *configFlag) books(e *env) (*ledger.Ledger, error) {
	cfg, err := c.load()
	if err != nil {
		return nil, err
	}
	l, err := ledger.OpenReader(e.ctx, cfg.Ledger())
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there are no books yet: tops run makes them: %w", err)
	}
	return l, fault.Mark(fault.Books, err)
}

// since is a flag: how long ago (36h, 7d), or a day (2026-01-31, UTC).
type since string

func (s since) time(now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, string(s)); err == nil {
		return day, nil
	}
	var ago config.Duration
	if err := ago.UnmarshalText([]byte(s)); err != nil || ago < 0 {
		return time.Time{}, wrong("--since %q: use how long ago, such as 36h or 7d, or a day, such as 2026-01-31", string(s))
	}
	return now.Add(-time.Duration(ago)), nil
}

// wrong is an error of the command line that only its reader can see.
func wrong(format string, args ...any) error {
	return fault.Mark(fault.Usage, fmt.Errorf(format, args...))
}

// instant is a time in a table: UTC, to the second; "-" for none.
func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateTime)
}

func printJSON(e *env, v any) error {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printCSV writes a head and rows; each row is written as fmt has it.
func printCSV(e *env, head string, rows [][]any) error {
	w := csv.NewWriter(e.stdout)
	if err := w.Write(strings.Split(head, ",")); err != nil {
		return err
	}
	for _, row := range rows {
		record := make([]string, len(row))
		for i, v := range row {
			if t, ok := v.(time.Time); ok {
				v = ""
				if !t.IsZero() {
					v = t.UTC().Format(time.RFC3339)
				}
			}
			record[i] = fmt.Sprint(v)
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
