package ledger

import (
	"database/sql"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/el-tor/tops/policies"
)

// How values are written: see the head of schema/1.sql.

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// clean makes every text one that both databases take: a stranger's note may be
// anything, and PostgreSQL refuses NUL and what is not UTF-8.
func clean(args []any) []any {
	for i, a := range args {
		if text, ok := a.(string); ok && (!utf8.ValidString(text) || strings.ContainsRune(text, 0)) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// timeColumn scans nanoseconds into a time.
type timeColumn struct{ into *time.Time }

func (c timeColumn) Scan(v any) error {
	var n sql.NullInt64
	err := n.Scan(v)
	*c.into = instant(n.Int64)
	return err
}

// termsColumn scans a canonical line into terms.
type termsColumn struct{ into *policies.Terms }

func (c termsColumn) Scan(v any) (err error) {
	line, ok := v.(string)
	if !ok {
		return fmt.Errorf("terms of type %T", v)
	}
	*c.into, err = policies.ParseTerms(line)
	return err
}

func joinWords[S ~string](words []S) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// wordsColumn scans a list of words; an empty list is nil.
type wordsColumn[S ~string] struct{ into *[]S }

func (c wordsColumn[S]) Scan(v any) error {
	var s sql.NullString
	err := s.Scan(v)
	*c.into = nil
	for _, w := range strings.Fields(s.String) {
		*c.into = append(*c.into, S(w))
	}
	return err
}

// collect reads all rows of a query, one with each call of scan.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// scanner is a row.
type scanner interface{ Scan(into ...any) error }
