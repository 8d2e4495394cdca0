package tor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/el-tor/tops/controlspec"
)

// A Setting is a tor option that must have our value while we run.
type Setting struct {
	// Key is the option's name as tor writes it.
	Key string
	// Apply makes our value of the operator's. nil is NULL, the option not
	// set at all; a list option has a value for each line. It must be pure,
	// as it is called again whenever the operator's value changes.
	Apply func(base []string) []string
}

// Fixed is a Setting whose value does not depend on the operator's.
func Fixed(key string, values ...string) Setting {
	return Setting{Key: key, Apply: func([]string) []string { return values }}
}

// Settings keeps options of tor at our values by SETCONF, which tor forgets at
// every RELOAD and restart: it follows CONF_CHANGED and SIGNAL and sets them
// again. What somebody else sets meanwhile becomes the base, which Restore
// puts back.
//
// It is a [Handler]: the first of a Client's, so that the others find the
// options set.
type Settings struct {
	link
	save   func(SettingsState) error
	failed func(error)
	// pace keeps two programs that set the same option from a race to do it.
	pace *rate.Limiter

	busy sync.Mutex // held by whoever compares and sets: one at a time

	mu      sync.Mutex // guards what follows
	wanted  []Setting
	options []OptionState // of every option that we have set or are about to
}

// NewSettings begins with what an earlier process saved, or with the zero
// state. save must make a state durable before it returns; it is called before
// tor is told anything. failed, if not nil, is told when setting again after a
// RELOAD did not work.
func NewSettings(state SettingsState, save func(SettingsState) error, failed func(error)) *Settings {
	return &Settings{save: save, failed: failed, options: state.clone().Options, pace: rate.NewLimiter(5, 20)}
}

// Set adds options to those that are kept, or changes how they are made, and
// sets them, all or none. Without a connection they are set at the next one.
func (s *Settings) Set(ctx context.Context, settings ...Setting) error {
	before := s.want(settings...)
	err := s.enforce(ctx, s)
	if errors.Is(err, ErrNotConnected) {
		return nil
	}
	if isRefusal(err) {
		s.mu.Lock()
		s.wanted = before
		s.mu.Unlock()
	}
	return err
}

// want is Set without setting; it returns what was wanted before.
func (s *Settings) want(settings ...Setting) (before []Setting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = slices.Clone(s.wanted)
	for _, setting := range settings {
		i := slices.IndexFunc(s.wanted, func(w Setting) bool { return strings.EqualFold(w.Key, setting.Key) })
		if i < 0 {
			s.wanted = append(s.wanted, setting)
		} else {
			s.wanted[i] = setting
		}
	}
	return before
}

// Base is the operator's value of an option that is kept, nil when it is not
// set or not known yet.
func (s *Settings) Base(key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.indexLocked(key); i >= 0 {
		return slices.Clone(s.options[i].Base)
	}
	return nil
}

// State is what has been saved last, or is about to be.
func (s *Settings) State() SettingsState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SettingsState{Options: s.options}.clone()
}

// SetBase notes that somebody else wants a value that we hold already, which
// tor does not report: no value has changed.
func (s *Settings) SetBase(key string, values ...string) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.indexLocked(key)
	if i < 0 {
		return fmt.Errorf("option %q is not kept", key)
	}
	s.options[i].Base = slices.Clone(values)
	return s.saveLocked()
}

// Restore puts the named options back to the operator's values, all of them
// if none is named, and keeps them no longer. An option that has another value
// than ours is the operator's already and stays.
func (s *Settings) Restore(ctx context.Context, keys ...string) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	named := func(key string) bool {
		return len(keys) == 0 || slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, key) })
	}
	s.mu.Lock()
	s.wanted = slices.DeleteFunc(s.wanted, func(w Setting) bool { return named(w.Key) })
	var ours []OptionState
	for _, o := range s.options {
		if named(o.Key) {
			ours = append(ours, o)
		}
	}
	s.mu.Unlock()
	if len(ours) == 0 {
		return nil
	}
	now, err := getConf(ctx, s, optionKeys(ours))
	if err != nil {
		return fmt.Errorf("restoring tor's options: %w", err)
	}
	var back []option
	for _, o := range ours {
		if value := now[strings.ToLower(o.Key)]; o.isOurs(value) && !slices.Equal(o.Base, value) {
			back = append(back, option{o.Key, o.Base})
		}
	}
	if len(back) > 0 {
		if err := setConf(ctx, s, back); err != nil {
			return fmt.Errorf("restoring tor's options: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options = slices.DeleteFunc(s.options, func(o OptionState) bool { return named(o.Key) })
	return s.saveLocked()
}

// Events are those that tell of a changed option.
func (s *Settings) Events() []string { return []string{"CONF_CHANGED", "SIGNAL"} }

// Connected sets our values in a tor that may have been restarted.
func (s *Settings) Connected(ctx context.Context, conn *Conn) error {
	s.set(conn)
	return s.enforce(ctx, conn)
}

// Event sets our values again where they were changed.
func (s *Settings) Event(ctx context.Context, event controlspec.Reply) {
	if !s.concerned(event) {
		return
	}
	err := s.pace.Wait(ctx)
	if err == nil {
		err = s.enforce(ctx, s)
	}
	lost := errors.Is(err, ErrClosed) || errors.Is(err, ErrNotConnected) // the next connection compares
	if err != nil && !lost && s.failed != nil && ctx.Err() == nil {
		s.failed(err)
	}
}

// Disconnected leaves everything as it is: the next connection compares.
func (s *Settings) Disconnected(error) { s.set(nil) }

// concerned reports whether an event may mean that an option of ours changed.
func (s *Settings) concerned(event controlspec.Reply) bool {
	if eventName(event) == "SIGNAL" {
		signal, err := controlspec.ParseSignal(event.Lines[0].Text)
		return err == nil && signal == "RELOAD"
	}
	changes, err := controlspec.ParseConfChanged(event)
	if err != nil {
		return true // better to look once too often
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(changes, func(c controlspec.ConfChange) bool { return s.indexLocked(c.Key) >= 0 })
}
