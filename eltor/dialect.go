package eltor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/tor"
)

// Dialect is which tor it is, by what can be done with it.
type Dialect int

// The tors that there are.
const (
	Stock Dialect = iota // the Tor Project's: it knows no payment at all
	A                    // El Tor's of 2025-05: its relays hear of payments and can end no circuit
	B                    // El Tor's of 2025-09: its relays can end one, too
)

func (d Dialect) String() string { return [...]string{"stock", "A", "B"}[d] }

// Fork is what a tor is.
type Fork struct {
	Dialect Dialect
	Version string // as tor says it
}

// Is reports whether it is El Tor's.
func (f Fork) Is() bool { return f.Dialect != Stock }

// Carrier names the carrier that belongs to this tor, for people.
func (f Fork) Carrier() string {
	switch f.Dialect {
	case A:
		return "native, on El Tor's tor, dialect A: every hop is told of payments, and an unpaid circuit cannot be ended"
	case B:
		return "native, on El Tor's tor, dialect B: every hop is told of payments, and ends an unpaid circuit"
	default:
		return "stock: the exit is paid, and its gateway enforces it"
	}
}

// asker is a connection to tor.
type asker interface {
	Do(ctx context.Context, line string) (controlspec.Reply, error)
}

// Probe finds out what a tor is. It asks nothing that changes anything: whether
// TEARDOWNCIRCUIT is there shows in what tor says to one that names no circuit.
func Probe(ctx context.Context, t asker) (f Fork, err error) {
	reply, err := t.Do(ctx, "GETINFO version events/names")
	if err != nil {
		return f, fmt.Errorf("ask what tor this is: %w", err)
	}
	values := reply.Values()
	f.Version = values["version"]
	if !slices.Contains(strings.Fields(values["events/names"]), EventName) {
		return f, nil
	}
	_, err = t.Do(ctx, "TEARDOWNCIRCUIT")
	var no *controlspec.ReplyError
	switch {
	case err == nil:
		return f, errors.New("ask what tor this is: TEARDOWNCIRCUIT without a circuit was not refused")
	case !errors.As(err, &no):
		return f, fmt.Errorf("ask what tor this is: %w", err)
	case no.Code == 510: // unrecognised
		f.Dialect = A
	default:
		f.Dialect = B
	}
	return f, nil
}

// ProbeAt is [Probe] over a connection of its own.
func ProbeAt(ctx context.Context, o tor.Options) (Fork, error) {
	conn, err := tor.Dial(ctx, o)
	if err != nil {
		return Fork{}, err
	}
	defer conn.Close()
	return Probe(ctx, conn)
}
