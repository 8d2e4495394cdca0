package client

import (
	"testing"

	"github.com/el-tor/tops/internal/socks"
)

// No relay that is paid hears of an onion service, however an app writes its name.
func TestOnionsAreTors(t *testing.T) {
	f := newFakeTor(t, fakeRelay{rateMsat: 1000})
	c, end := clientOf(t, f, nil)
	defer end()
	for _, name := range []string{"x.onion", "X.Onion", "x.onion."} {
		if conn, err := c.Connect(t.Context(), socks.Request{Command: socks.Connect, Name: name, Port: 80}); err == nil {
			t.Errorf("%s: a fake tor has no SocksPort", name)
			conn.Close()
		}
		if exits := f.asked(); len(exits) > 0 {
			t.Errorf("%s: a paid circuit was made for it, to %v", name, exits)
		}
	}
}
