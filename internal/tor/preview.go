package tor

import (
	"context"
	"slices"
	"strings"
)

// A Change is what becomes of an option that is kept at our value. nil is NULL,
// the option not set at all.
type Change struct {
	Key  string   `json:"key"`
	Base []string `json:"base"` // the operator's value
	Now  []string `json:"now"`  // what tor has
	Ours []string `json:"ours"` // what we make of the base
}

// Kept reports whether tor has our value.
func (c Change) Kept() bool { return slices.Equal(c.Now, c.Ours) }

// Preview says what [Settings.Set] would do, and does nothing. saved is what an
// earlier process has set.
func (c *Client) Preview(ctx context.Context, saved SettingsState, settings ...Setting) ([]Change, error) {
	keys := make([]string, len(settings))
	for i, s := range settings {
		keys[i] = s.Key
	}
	now, err := getConf(ctx, c, keys)
	if err != nil {
		return nil, err
	}
	changes := make([]Change, len(settings))
	for i, s := range settings {
		value := now[strings.ToLower(s.Key)]
		change := Change{Key: s.Key, Base: saved.Base(s.Key, value), Now: value}
		change.Ours = s.Apply(slices.Clone(change.Base))
		changes[i] = change
	}
	return changes, nil
}
