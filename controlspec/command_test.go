package controlspec_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/el-tor/tops/controlspec"
)

const commands = "PROTOCOLINFO 1\r\nauthenticate\n" +
	"+loadconf\r\nSocksPort 9050\r\n..dotted\r\n.\r\n" +
	"+POSTDESCRIPTOR purpose=general\n.\n" +
	"GETINFO  version   config-file \r\n\r\n GETINFO x\r\nQUIT\r\n"

func TestReadCommand(t *testing.T) {
	want := []controlspec.Command{
		{Name: "PROTOCOLINFO", Args: "1"},
		{Name: "AUTHENTICATE"},
		{Name: "LOADCONF", Block: true, Data: "SocksPort 9050\n.dotted\n"},
		{Name: "POSTDESCRIPTOR", Args: "purpose=general", Block: true},
		{Name: "GETINFO", Args: "version   config-file"},
		{},
		{Args: "GETINFO x"},
		{Name: "QUIT"},
	}
	wantRead(t, commands, want, func(in io.Reader) func() (controlspec.Command, error) {
		return controlspec.NewCommandReader(in).ReadCommand
	})
}

func TestReadCommandErrors(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want error
	}{
		{"GETINFO a\rb\r\n", controlspec.ErrBareCR},
		{"GETINFO a\r\r\n", controlspec.ErrBareCR},
		{"GETINFO a\x00b\r\n", controlspec.ErrNUL},
		{"+X\r\na\x00b\r\n.\r\n", controlspec.ErrNUL},
		{"GETINFO a", io.ErrUnexpectedEOF},
		{"+X\r\nabc\r\n", io.ErrUnexpectedEOF},
		{"", io.EOF},
		{strings.Repeat("x", controlspec.MaxCommand+1) + "\r\n", controlspec.ErrCommandTooLong},
		{"+X\r\n" + strings.Repeat("line of data\r\n", controlspec.MaxCommand/14) + ".\r\n", controlspec.ErrCommandTooLong},
	} {
		if _, err := controlspec.NewCommandReader(strings.NewReader(tt.in)).ReadCommand(); !errors.Is(err, tt.want) && err != tt.want {
			t.Errorf("%.20q: %v, want %v", tt.in, err, tt.want)
		}
	}
}

// A line longer than tor takes is still handed on, in fragments, so that tor
// itself may refuse it.
func TestReadLineTooLong(t *testing.T) {
	in := strings.Repeat("x", 2*controlspec.MaxCommand+10) + "\r\nQUIT\r\n"
	r := controlspec.NewCommandReader(strings.NewReader(in))
	var out []byte
	var ends int
	for {
		l, err := r.ReadLine()
		if err != nil {
			break
		}
		if l.End {
			ends++
		}
		out = append(out, l.Raw...)
	}
	if string(out) != in || ends != 2 {
		t.Errorf("%d bytes with %d ends, want %d with 2", len(out), ends, len(in))
	}
}

func FuzzCommandReader(f *testing.F) {
	f.Add([]byte(commands))
	f.Add([]byte("+a\r\n.\r\r\n.\nb"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := controlspec.NewCommandReader(iotest.HalfReader(bytes.NewReader(in)))
		var out []byte
		for {
			l, err := r.ReadLine()
			if err != nil {
				break
			}
			out = append(out, l.Raw...)
			_ = l.Check()
		}
		if !bytes.Equal(in, out) {
			t.Fatal("the lines are not the input")
		}
		r = controlspec.NewCommandReader(bytes.NewReader(in))
		for {
			c, err := r.ReadCommand()
			if err != nil {
				return
			}
			raw := c.Append(nil)
			again, err := controlspec.NewCommandReader(bytes.NewReader(raw)).ReadCommand()
			if err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			if !bytes.Equal(raw, again.Append(nil)) {
				t.Fatalf("%q became %q", raw, again.Append(nil))
			}
		}
	})
}
