package controlspec_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/el-tor/tops/controlspec"
	"github.com/google/go-cmp/cmp"
)

// What tor sends, with the traps of it: empty data blocks, stuffed dots,
// LF alone, several lines of error, an event of several lines.
const session = "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n" +
	"650 CIRC 1 BUILT $A~a\r\n" +
	"250+circuit-status=\r\n1 BUILT\r\n..dot\r\n.\r\n250 OK\r\n" +
	"650-CONF_CHANGED\r\n650-SocksPort=9050\r\n650 OK\r\n" +
	"650+NS\r\nr x\r\n250 not a reply\r\n.\r\n650 OK\r\n" +
	"250+empty=\r\n.\r\n250 OK\n" +
	"552-Unrecognized key \"a\"\r\n552 Unrecognized key \"b\"\r\n" +
	"250 OK\r\n"

func TestScanner(t *testing.T) {
	var s controlspec.Scanner
	var replies, events, lines int
	for p := []byte(session); len(p) > 0; {
		l := s.Next(p)
		if len(l.Raw) == 0 {
			t.Fatalf("no progress at %q", p)
		}
		p = p[len(l.Raw):]
		lines++
		if l.End != s.Whole() {
			t.Errorf("%q: End %v, Whole %v", l.Raw, l.End, s.Whole())
		}
		if l.End && l.Async {
			events++
		} else if l.End {
			replies++
		}
	}
	if want := bytes.Count([]byte(session), []byte("\n")); lines != want || replies != 5 || events != 3 {
		t.Errorf("lines %d (want %d), replies %d (want 5), events %d (want 3)", lines, want, replies, events)
	}
}

func TestReadReply(t *testing.T) {
	type line = controlspec.ReplyLine
	want := []controlspec.Reply{
		{Lines: []line{{Text: "PROTOCOLINFO 1", Code: 250, Sep: '-'}, {Text: "AUTH METHODS=NULL", Code: 250, Sep: '-'}, {Text: "OK", Code: 250, Sep: ' '}}},
		{Lines: []line{{Text: "CIRC 1 BUILT $A~a", Code: 650, Sep: ' '}}},
		{Lines: []line{{Text: "circuit-status=", Data: "1 BUILT\n.dot\n", Code: 250, Sep: '+'}, {Text: "OK", Code: 250, Sep: ' '}}},
		{Lines: []line{{Text: "CONF_CHANGED", Code: 650, Sep: '-'}, {Text: "SocksPort=9050", Code: 650, Sep: '-'}, {Text: "OK", Code: 650, Sep: ' '}}},
		{Lines: []line{{Text: "NS", Data: "r x\n250 not a reply\n", Code: 650, Sep: '+'}, {Text: "OK", Code: 650, Sep: ' '}}},
		{Lines: []line{{Text: "empty=", Code: 250, Sep: '+'}, {Text: "OK", Code: 250, Sep: ' '}}},
		{Lines: []line{{Text: `Unrecognized key "a"`, Code: 552, Sep: '-'}, {Text: `Unrecognized key "b"`, Code: 552, Sep: ' '}}},
		{Lines: []line{{Text: "OK", Code: 250, Sep: ' '}}},
	}
	wantRead(t, session, want, func(in io.Reader) func() (controlspec.Reply, error) {
		return controlspec.NewReplyReader(in).ReadReply
	})
}

// wantRead checks what a reader finds in a text, in whatever pieces that comes.
func wantRead[T any](t *testing.T, text string, want []T, reader func(io.Reader) func() (T, error)) {
	for name, in := range map[string]io.Reader{
		"whole":        strings.NewReader(text),
		"byte by byte": iotest.OneByteReader(strings.NewReader(text)),
		"data and EOF": iotest.DataErrReader(strings.NewReader(text)),
	} {
		t.Run(name, func(t *testing.T) {
			next := reader(in)
			var got []T
			for {
				v, err := next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, v)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadReplyLongLine(t *testing.T) {
	long := strings.Repeat("x", 3*4096-5) // its CRLF falls across the reader's buffer
	for pad := range 4 {
		text := long + strings.Repeat("y", pad)
		r := controlspec.NewReplyReader(strings.NewReader("250-a=" + text + "\r\n250+b=\r\n" + text + "\r\n.\r\n250 OK\r\n"))
		rep, err := r.ReadReply()
		if err != nil {
			t.Fatal(err)
		}
		if v := rep.Values(); v["a"] != text || v["b"] != text {
			t.Errorf("pad %d: values of %d and %d bytes, want %d", pad, len(v["a"]), len(v["b"]), len(text))
		}
	}
}

func TestReadReplyErrors(t *testing.T) {
	for in, want := range map[string]error{
		"250-a\r\n":      io.ErrUnexpectedEOF,
		"250+a\r\nb\r\n": io.ErrUnexpectedEOF,
		"25":             io.ErrUnexpectedEOF,
		"":               io.EOF,
		"250-" + strings.Repeat("x", 100) + "\r\n250 OK\r\n": controlspec.ErrTooLong,
	} {
		r := controlspec.NewReplyReader(strings.NewReader(in))
		r.Limit = 64
		if _, err := r.ReadReply(); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %v", in, err, want)
		}
	}
	if _, err := controlspec.NewReplyReader(strings.NewReader("hello\r\n")).ReadReply(); err == nil {
		t.Error("a line without a code was taken for a reply")
	}
}

func TestReplyErr(t *testing.T) {
	rep, err := controlspec.ParseReply([]byte("552-Unrecognized key \"a\"\r\n552 Unrecognized key \"b\"\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var re *controlspec.ReplyError
	if !errors.As(rep.Err(), &re) || re.Code != 552 || re.Text != `Unrecognized key "a"` {
		t.Errorf("Err() = %v", rep.Err())
	}
	if rep, _ = controlspec.ParseReply([]byte("250 OK\r\n")); rep.Err() != nil {
		t.Errorf("Err() = %v", rep.Err())
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte(session), 7)
	f.Add([]byte("552+=\r\n.\r\n"), 1)
	f.Add([]byte("\r\n250\r\n650-\n.\n"), 3)
	f.Fuzz(func(t *testing.T, in []byte, chunk int) {
		chunk = min(max(chunk, 1), 1<<12)
		type cut struct {
			code       int
			async, end bool
		}
		// scan returns what the ends of lines say, fed n bytes at a time, and
		// checks that the pieces are the input.
		scan := func(n int) (cuts []cut) {
			var s controlspec.Scanner
			var out, buf []byte
			for rest := in; len(rest) > 0; {
				k := min(n, len(rest))
				buf, rest = append(buf, rest[:k]...), rest[k:]
				for {
					l := s.Next(buf)
					if len(l.Raw) == 0 {
						break
					}
					out, buf = append(out, l.Raw...), buf[len(l.Raw):]
					if l.EOL {
						cuts = append(cuts, cut{l.Code, l.Async, l.End})
					}
				}
				if len(buf) > 3 {
					t.Fatalf("%q was withheld", buf)
				}
			}
			if !bytes.Equal(append(out, buf...), in) {
				t.Fatal("the pieces are not the input")
			}
			return cuts
		}
		if d := cmp.Diff(scan(len(in)+1), scan(chunk), cmp.AllowUnexported(cut{})); d != "" {
			t.Fatalf("the size of reads matters: %s", d)
		}
	})
}

func FuzzReadReply(f *testing.F) {
	f.Add([]byte(session))
	f.Add([]byte("250+x\r\n.\r\n250 OK\r\n"))
	f.Add([]byte("250+x\r\ny\r\r\n.\r\n250 OK\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := controlspec.NewReplyReader(bytes.NewReader(in))
		for {
			rep, err := r.ReadReply()
			if err != nil {
				return
			}
			// Written canonically it reads the same, and from then on bytes are kept.
			raw := rep.Append(nil)
			again, err := controlspec.ParseReply(raw)
			if err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			if raw2 := again.Append(nil); !bytes.Equal(raw, raw2) {
				t.Fatalf("%q became %q", raw, raw2)
			}
		}
	})
}
