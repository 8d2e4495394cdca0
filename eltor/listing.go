package eltor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// listing is what LOGALLCIRCUITS says: how often each circuit's id is in use, in
// all the ways in which TEARDOWNCIRCUIT takes one.
type listing struct {
	prev  map[uint32]int // as the id of a circuit towards the client
	other map[uint32]int // as any other

	extended map[uint32]bool // by the id towards the client: it goes on to another relay
}

// listCircuits asks dialect B.
func listCircuits(ctx context.Context, t asker) (*listing, error) {
	reply, err := t.Do(ctx, "LOGALLCIRCUITS")
	if err != nil {
		return nil, err
	}
	l, err := parseListing(reply)
	if err != nil {
		return nil, fmt.Errorf("LOGALLCIRCUITS: %w", err)
	}
	return l, nil
}

// parseListing reads lines such as
//
//	OR_CIRCUIT Nickname=r N_CircuitID=0 P_CircuitID=4026444992 State=OPEN … MarkedForClose=false …
//	ORIGIN_CIRCUIT Nickname=r N_CircuitID=7 State=OPEN … MarkedForClose=false … GlobalIdentifier=3
//
// A line that cannot be read makes the whole of it useless: it may be the one that
// shares an id.
func parseListing(reply controlspec.Reply) (*listing, error) {
	l := &listing{prev: make(map[uint32]int), other: make(map[uint32]int), extended: make(map[uint32]bool)}
	for _, line := range reply.Lines {
		words := strings.Fields(line.Text)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "LOGALLCIRCUITS:", "UNKNOWN_CIRCUIT": // the latter can be ended by no id
			continue
		case "OR_CIRCUIT", "ORIGIN_CIRCUIT":
		default:
			return nil, errors.New("a line of an unknown kind")
		}
		keys := make(map[string]string)
		for _, w := range words[1:] {
			if k, v, ok := strings.Cut(w, "="); ok && keys[k] == "" {
				keys[k] = v
			}
		}
		if err := l.add(words[0] == "ORIGIN_CIRCUIT", keys); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *listing) add(origin bool, keys map[string]string) error {
	if origin { // tor looks among its own circuits first, closing ones included
		id, err := decimal(keys["GlobalIdentifier"], 32)
		l.other[uint32(id)]++
		return err
	}
	next, err := decimal(keys["N_CircuitID"], 32)
	if err != nil {
		return err
	}
	prev, err := decimal(keys["P_CircuitID"], 32)
	if err != nil {
		return err
	}
	if keys["MarkedForClose"] == "true" {
		return nil
	}
	l.prev[uint32(prev)]++
	l.other[uint32(next)]++
	if next != 0 {
		l.extended[uint32(prev)] = true
	}
	return nil
}

// has reports whether a circuit with this id is there.
func (l *listing) has(id uint32) bool { return l.prev[id] > 0 }

// shared reports whether the id would end another circuit, or could.
func (l *listing) shared(id uint32) bool { return id == 0 || l.prev[id] > 1 || l.other[id] > 0 }
