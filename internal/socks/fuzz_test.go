package socks

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

// What a handshake yields is fit to be shown to a handler, whatever was sent.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte("\x05\x01\x00\x05\x01\x00\x01\x08\x08\x04\x04\x00\x50"))
	f.Add([]byte("\x05\x02\x00\x02\x01\x03bob\x02pw\x05\xf0\x00\x03\x0bexample.com\x00\x00"))
	f.Add([]byte("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nProxy-Authorization: Basic Ym9iOnB3\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, b []byte) {
		br := bufio.NewReaderSize(bytes.NewReader(b), maxHTTPHead)
		var r Request
		var err error
		if first, _ := br.Peek(1); len(first) > 0 && first[0] == version5 {
			br.Discard(1)
			if err = negotiate(br, io.Discard, &r); err == nil {
				err = readRequest(br, &r)
			}
		} else {
			r, err = readHTTP(br)
		}
		if err != nil {
			return
		}
		if strings.ContainsAny(r.Host(), " \r\n\x00/@") || r.Host() == "" {
			t.Errorf("host %q", r.Host())
		}
		if r.Command == Connect && r.Port == 0 {
			t.Error("port 0")
		}
		if len(r.User) > maxHTTPHead || len(r.Password) > maxHTTPHead {
			t.Error("a key without bound")
		}
	})
}
