package ledger

import (
	"context"
	"fmt"
)

// FillUp plays a disk that is full: the file may not grow by more pages. FillUp
// of a large number makes room again.
func (l *Ledger) FillUp(ctx context.Context, more int) error {
	return l.write(ctx, func(s *statements) error {
		var pages, limit int
		if err := s.scan("PRAGMA page_count", nil, &pages); err != nil {
			return err
		}
		return s.conn.QueryRowContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages+more)).Scan(&limit)
	})
}

// Steps is how many steps the schema has.
func Steps() int { return len(schema) }

// OnlySteps makes the schema that of an older tops, until undo.
func OnlySteps(n int) (undo func()) {
	all := schema
	schema = schema[:n:n]
	return func() { schema = all }
}

// AddStep adds a step to the schema, as a newer version of tops has one, until
// undo.
func AddStep(step string) (undo func()) {
	schema = append(schema, step)
	return func() { schema = schema[:len(schema)-1] }
}
