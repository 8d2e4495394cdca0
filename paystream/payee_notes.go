package paystream

import (
	"encoding/binary"
	"encoding/hex"
)

// A noteIndex finds the pay stream that a note belongs to with one look-up,
// whatever their number. It keeps eight bytes of each id, and the id itself is
// computed again to be sure: a pay stream of ten rounds costs a quarter of a
// kilobyte here instead of one and a half.
type noteIndex struct {
	slots map[uint64]noteSlot
	pay   []*payeeStream // by slot; nil where one is free
	spare []uint32
	place map[*payeeStream]uint32
}

type noteSlot struct {
	pay   uint32
	round uint16
}

// find returns the pay stream and the round whose id the note is.
func (x *noteIndex) find(note RoundID) (*payeeStream, int, bool) {
	key, ok := noteKey(note)
	if !ok {
		return nil, 0, false
	}
	slot, ok := x.slots[key]
	if !ok {
		return nil, 0, false
	}
	s := x.pay[slot.pay]
	return s, int(slot.round), s.note(int(slot.round)) == note
}

// free reports whether none of a pay stream's ids is taken.
func (x *noteIndex) free(s *payeeStream) bool {
	seen := make(map[uint64]bool, s.tariff.Rounds+1)
	for r := 0; r <= s.tariff.Rounds; r++ {
		key, ok := noteKey(s.note(r))
		if _, taken := x.slots[key]; taken || !ok || seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

// add enters the ids of a pay stream, which must be free.
func (x *noteIndex) add(s *payeeStream) {
	if x.slots == nil {
		x.slots, x.place = make(map[uint64]noteSlot), make(map[*payeeStream]uint32)
	}
	var at uint32
	if n := len(x.spare); n > 0 {
		at, x.spare = x.spare[n-1], x.spare[:n-1]
		x.pay[at] = s
	} else {
		at = uint32(len(x.pay))
		x.pay = append(x.pay, s)
	}
	x.place[s] = at
	for r := 0; r <= s.tariff.Rounds; r++ {
		key, _ := noteKey(s.note(r))
		x.slots[key] = noteSlot{at, uint16(r)}
	}
}

func (x *noteIndex) remove(s *payeeStream) {
	at, ok := x.place[s]
	if !ok {
		return
	}
	for r := 0; r <= s.tariff.Rounds; r++ {
		key, _ := noteKey(s.note(r))
		delete(x.slots, key)
	}
	x.pay[at] = nil
	x.spare = append(x.spare, at)
	delete(x.place, s)
}

// noteKey is the head of an id. Ids are the output of a keyed hash: their first
// eight bytes are as good as any.
func noteKey(note RoundID) (uint64, bool) {
	if len(note) != 64 {
		return 0, false
	}
	var b [8]byte
	if _, err := hex.Decode(b[:], []byte(note[:16])); err != nil {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[:]), true
}
