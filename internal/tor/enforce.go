package tor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// enforce compares tor's values with ours and sets those that differ. What
// differs from what we have set is what the operator wants: the new base.
func (s *Settings) enforce(ctx context.Context, d doer) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	s.mu.Lock()
	wanted := slices.Clone(s.wanted)
	s.mu.Unlock()
	if len(wanted) == 0 {
		return nil
	}
	keys := make([]string, len(wanted))
	for i, w := range wanted {
		keys[i] = w.Key
	}
	now, err := getConf(ctx, d, keys)
	if err != nil {
		return fmt.Errorf("reading tor's options: %w", err)
	}
	before, set, err := s.plan(wanted, now)
	if err != nil || len(set) == 0 {
		return err
	}
	// tor may write a value in its own way: it is remembered as it will be read, and
	// read before anybody else can set another.
	replies, err := d.DoAll(ctx, setConfLine(set), getConfLine(keys))
	if err != nil {
		if isRefusal(err) { // nothing was set
			err = errors.Join(err, s.reset(before))
		}
		return fmt.Errorf("setting tor's options: %w", err)
	}
	return s.confirm(set, confValues(replies[1]))
}

// plan notes bases and what is about to be set, durably, and returns that,
// and what was noted before.
func (s *Settings) plan(wanted []Setting, now map[string][]string) (before SettingsState, set []option, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range wanted {
		value := now[strings.ToLower(w.Key)]
		i := s.indexLocked(w.Key)
		if i < 0 {
			i = len(s.options)
			s.options = append(s.options, OptionState{Key: w.Key})
		}
		if !s.options[i].isOurs(value) {
			s.options[i].Base = value
		}
	}
	before = SettingsState{s.options}.clone()
	for _, w := range wanted {
		o := &s.options[s.indexLocked(w.Key)]
		value := now[strings.ToLower(w.Key)]
		if ours := w.Apply(slices.Clone(o.Base)); !slices.Equal(value, ours) {
			o.Ours = append(o.Ours, ours)
			set = append(set, option{w.Key, ours})
		}
	}
	return before, set, s.saveLocked()
}

func (s *Settings) reset(before SettingsState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options = before.Options
	return s.saveLocked()
}

// confirm notes what tor made of what was set.
func (s *Settings) confirm(set []option, now map[string][]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range set {
		if i := s.indexLocked(o.key); i >= 0 {
			s.options[i].Ours = [][]string{now[strings.ToLower(o.key)]}
		}
	}
	return s.saveLocked()
}

// isRefusal reports whether tor said no, and so did nothing.
func isRefusal(err error) bool {
	refusal := new(controlspec.ReplyError)
	return errors.As(err, &refusal)
}

func (s *Settings) indexLocked(key string) int {
	return slices.IndexFunc(s.options, func(o OptionState) bool { return strings.EqualFold(o.Key, key) })
}

func (s *Settings) saveLocked() error {
	if s.save == nil {
		return nil
	}
	if err := s.save(SettingsState{Options: s.options}.clone()); err != nil {
		return fmt.Errorf("saving tor's options: %w", err)
	}
	return nil
}

func optionKeys(options []OptionState) []string {
	keys := make([]string, len(options))
	for i, o := range options {
		keys[i] = o.Key
	}
	return keys
}
