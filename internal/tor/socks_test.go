package tor

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
)

// FuzzAnswer reads whatever a SocksPort might answer to a CONNECT.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00data"))
	f.Add([]byte("\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x05\x00\x00\x04"))
	f.Add([]byte("HTTP/1.0 501 Tor is not an HTTP Proxy"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, says []byte) {
		// In a bubble, so that waiting for tor's reason takes no time.
		synctest.Test(t, func(t *testing.T) {
			near, far := net.Pipe()
			go func() {
				far.Write(says)
				far.Close()
			}()
			attacher := NewAttacher(NewSettings(SettingsState{}, nil, nil))
			c := &StreamConn{Conn: near, attacher: attacher, stream: attacher.newStream("1", 0, func() {})}
			defer c.Close()
			got, err := io.ReadAll(c)
			size := answerSize(says)
			through := len(says) >= size && says[0] == 5 && says[1] == 0
			if through && (err != nil || string(got) != string(says[size:])) {
				t.Errorf("read %q, %v; want %q", got, err, says[size:])
			}
			if !through && (err == nil || len(got) != 0) {
				t.Errorf("read %q, %v of a stream that failed", got, err)
			}
		})
	})
}
