package tor

import (
	"slices"
	"strings"
)

// SettingsState is what has to survive a process that is killed, so that the
// next one, or an undo, can put the operator's values back.
type SettingsState struct {
	Options []OptionState `json:"options"`
}

// An OptionState is an option that we have set.
type OptionState struct {
	Key  string   `json:"key"`
	Base []string `json:"base"` // the operator's value; null: not set
	// Ours is every value that tor may have from us: none before the first
	// SETCONF, one normally, two while it is not known whether the last
	// SETCONF was done.
	Ours [][]string `json:"ours"`
}

func (o OptionState) isOurs(value []string) bool {
	return slices.ContainsFunc(o.Ours, func(ours []string) bool { return slices.Equal(ours, value) })
}

func (s SettingsState) clone() SettingsState {
	c := SettingsState{Options: slices.Clone(s.Options)}
	for i, o := range c.Options {
		c.Options[i].Ours = slices.Clone(o.Ours) // values themselves are never changed
	}
	return c
}

// Base is the operator's value of an option that tor has a value of now: that one,
// unless it is ours.
func (s SettingsState) Base(key string, now []string) []string {
	i := slices.IndexFunc(s.Options, func(o OptionState) bool { return strings.EqualFold(o.Key, key) })
	if i >= 0 && s.Options[i].isOurs(now) {
		return slices.Clone(s.Options[i].Base)
	}
	return now
}
