package tor

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzReply reads whatever a SocksPort might answer to a RESOLVE.
func FuzzReply(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x01\x5d\xb8\xd8\x22\x00\x00"))
	f.Add([]byte("\x05\x00\x00\x03\x0bexample.com\x00\x00"))
	f.Add([]byte("\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x05\x00\x00\x04\x20\x01"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, says []byte) {
		kind, address, err := readReply(bytes.NewReader(says))
		var refused SocksError
		switch {
		case errors.As(err, &refused):
			if says[1] != byte(refused) || refused == 0 {
				t.Errorf("%x was read as %v", says, err)
			}
		case err != nil:
		default:
			from := 4
			if kind == 3 {
				from = 5
			}
			if kind != says[3] || !bytes.Equal(address, says[from:from+len(address)]) {
				t.Errorf("%x was read as %d %x", says, kind, address)
			}
		}
	})
}
