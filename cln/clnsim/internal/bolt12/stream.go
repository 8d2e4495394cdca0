package bolt12

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Record numbers of BOLT 12, as far as the simulator writes or shows them.
const (
	InvreqMetadata     = 0
	OfferChains        = 2
	OfferMetadata      = 4
	OfferCurrency      = 6
	OfferAmount        = 8
	OfferDescription   = 10
	OfferFeatures      = 12
	OfferExpiry        = 14
	OfferPaths         = 16
	OfferIssuer        = 18
	OfferQuantityMax   = 20
	OfferIssuerID      = 22
	InvreqChain        = 80
	InvreqAmount       = 82
	InvreqFeatures     = 84
	InvreqQuantity     = 86
	InvreqPayerID      = 88
	InvreqPayerNote    = 89
	InvoicePaths       = 160
	InvoicePayInfo     = 162
	InvoiceCreatedAt   = 164
	InvoiceExpiry      = 166
	InvoicePaymentHash = 168
	InvoiceAmount      = 170
	InvoiceFeatures    = 174
	InvoiceNodeID      = 176
	Signature          = 240
)

// A Record is one type-length-value.
type Record struct {
	Type  uint64
	Value []byte
}

// A Stream is the records of one message in ascending order of type, no type twice.
type Stream []Record

// Parse reads a whole stream, strictly: minimal integers, ascending types, nothing left over.
func Parse(b []byte) (Stream, error) {
	var s Stream
	for len(b) > 0 {
		t, n, err := bigsize(b)
		if err != nil {
			return nil, err
		}
		b = b[n:]
		if len(s) > 0 && t <= s[len(s)-1].Type {
			return nil, fmt.Errorf("record %d is out of order", t)
		}
		l, n, err := bigsize(b)
		if err != nil {
			return nil, err
		}
		b = b[n:]
		if l > uint64(len(b)) {
			return nil, fmt.Errorf("record %d is cut short", t)
		}
		s = append(s, Record{t, bytes.Clone(b[:l])})
		b = b[l:]
	}
	return s, nil
}

// Bytes is the wire form of the stream.
func (s Stream) Bytes() []byte {
	var b []byte
	for _, r := range s {
		b = append(b, r.bytes()...)
	}
	return b
}

func (r Record) bytes() []byte {
	b := appendBigsize(nil, r.Type)
	b = appendBigsize(b, uint64(len(r.Value)))
	return append(b, r.Value...)
}

// Get returns the value of a record.
func (s Stream) Get(t uint64) ([]byte, bool) {
	i, ok := slices.BinarySearchFunc(s, t, func(r Record, t uint64) int { return cmp.Compare(r.Type, t) })
	if !ok {
		return nil, false
	}
	return s[i].Value, true
}

// Text returns the value of a record as a string, empty if there is none.
func (s Stream) Text(t uint64) string {
	v, _ := s.Get(t)
	return string(v)
}

// Uint returns a truncated integer (tu32, tu64). One that is missing, too long or not minimal is not there.
func (s Stream) Uint(t uint64) (uint64, bool) {
	v, ok := s.Get(t)
	if !ok || len(v) > 8 || len(v) > 0 && v[0] == 0 {
		return 0, false
	}
	var n uint64
	for _, b := range v {
		n = n<<8 | uint64(b)
	}
	return n, true
}

// Set returns the stream with the record added or replaced; s is left as it was.
func (s Stream) Set(t uint64, v []byte) Stream {
	i, ok := slices.BinarySearchFunc(s, t, func(r Record, t uint64) int { return cmp.Compare(r.Type, t) })
	out := slices.Clone(s)
	if ok {
		out[i].Value = v
		return out
	}
	return slices.Insert(out, i, Record{t, v})
}

// SetUint sets a truncated integer.
func (s Stream) SetUint(t, v uint64) Stream {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return s.Set(t, bytes.TrimLeft(b[:], "\x00"))
}

// Keep returns the records that ok accepts.
func (s Stream) Keep(ok func(t uint64) bool) Stream {
	var out Stream
	for _, r := range s {
		if ok(r.Type) {
			out = append(out, r)
		}
	}
	return out
}

// Unsigned returns the records that a signature covers.
func (s Stream) Unsigned() Stream { return s.Keep(func(t uint64) bool { return !isSignature(t) }) }

// OfferPart returns the records that an offer, or what an invoice repeats of one, may hold.
func (s Stream) OfferPart() Stream { return s.Keep(isOffer) }

// RequestPart returns what an invoice must repeat of its request.
func (s Stream) RequestPart() Stream {
	return s.Keep(func(t uint64) bool { return t <= 159 || t >= 1_000_000_000 && t <= 2_999_999_999 })
}

func isOffer(t uint64) bool {
	return t >= 1 && t <= 79 || t >= 1_000_000_000 && t <= 1_999_999_999
}

func isSignature(t uint64) bool { return t >= 240 && t <= 1000 }

// bigsize reads BOLT 1's variable-length integer and says how many bytes it took.
func bigsize(b []byte) (v uint64, n int, err error) {
	if len(b) == 0 {
		return 0, 0, errors.New("integer is cut short")
	}
	n = map[byte]int{0xfd: 3, 0xfe: 5, 0xff: 9}[b[0]]
	if n == 0 {
		return uint64(b[0]), 1, nil
	}
	if len(b) < n {
		return 0, 0, errors.New("integer is cut short")
	}
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	if len(appendBigsize(nil, v)) != n {
		return 0, 0, errors.New("integer is not minimal")
	}
	return v, n, nil
}

func appendBigsize(b []byte, v uint64) []byte {
	switch {
	case v < 0xfd:
		return append(b, byte(v))
	case v <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, 0xfd), uint16(v))
	case v <= 0xffffffff:
		return binary.BigEndian.AppendUint32(append(b, 0xfe), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xff), v)
}
