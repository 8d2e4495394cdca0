// Package fault sorts what can end a command into classes, so that a script or a
// supervisor knows from the exit code whose move it is: the operator's, tor's, the
// Lightning node's, or the keeper's of the books.
//
//	return fault.Mark(fault.Books, err)
//	os.Exit(fault.Of(err).Code())
package fault

import (
	"errors"
	"io/fs"
)

// Class is a class of failures.
type Class int

// The classes. Their order is their exit code, and does not change.
const (
	None Class = iota
	Other
	Usage
	Tor
	Lightning
	Books
	Permission
	NotRunning
)

// Classes lists them all.
func Classes() []Class {
	return []Class{None, Other, Usage, Tor, Lightning, Books, Permission, NotRunning}
}

// Code is the exit code.
func (c Class) Code() int { return int(c) }

// String says what has happened.
func (c Class) String() string {
	return [...]string{
		None:       "all is well",
		Other:      "something else went wrong",
		Usage:      "the command line or the configuration is wrong",
		Tor:        "tor cannot be reached, or does not let us in",
		Lightning:  "the Lightning node cannot be reached, or is not fit for its role",
		Books:      "the books cannot be used: in use, damaged, from a newer tops, or their database is away",
		Permission: "a file or socket may not be opened by this user",
		NotRunning: "no tops runs with this configuration",
	}[c]
}

// Mark puts an error into a class. nil stays nil, and who marked it first is right.
func Mark(c Class, err error) error {
	var already *marked
	if err == nil || errors.As(err, &already) {
		return err
	}
	return &marked{c, err}
}

// Of is the class of an error. Whatever was tried, a permission that is missing
// is the operator's to give.
func Of(err error) Class {
	var m *marked
	switch {
	case err == nil:
		return None
	case errors.Is(err, fs.ErrPermission):
		return Permission
	case errors.As(err, &m):
		return m.class
	}
	return Other
}

type marked struct {
	class Class
	error
}

func (m *marked) Unwrap() error { return m.error }
