package controlspec

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// MaxCommand is the size of the longest command that tor reads, data block
// included; at 1 MiB it answers "500 Line too long." and closes.
const MaxCommand = 1 << 20

// What makes a command line unfit to be passed to tor.
var (
	// ErrBareCR: tor echoes a CR within a line in a reply that never ends.
	ErrBareCR = errors.New("bare CR in a command")
	// ErrNUL: tor cuts a line at a NUL, so it means another thing than it shows.
	ErrNUL = errors.New("NUL in a command")
	// ErrCommandTooLong is above [MaxCommand].
	ErrCommandTooLong = errors.New("command is longer than 1 MiB")
)

// Command is what a controller says (control-spec §2.2).
type Command struct {
	Name  string // in upper case, without '+'
	Args  string // what follows the name, outer blanks removed
	Data  string // content of the data block, dots unstuffed, lines ended by "\n"
	Block bool   // it has a data block
}

// ParseCommand reads one command line, with or without its line's end. A '+'
// in front sets Block; the data is the reader's business. Any line is a
// command, as with tor, which answers 510 to those it does not know.
func ParseCommand(line string) Command {
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	var c Command
	if strings.HasPrefix(line, "+") {
		c.Block, line = true, line[1:]
	}
	name, args := line, ""
	if i := strings.IndexAny(line, " \t\r\n\v\f"); i >= 0 {
		name, args = line[:i], line[i:]
	}
	c.Name, c.Args = upper(name), strings.Trim(args, " \t")
	return c
}

// upper is strings.ToUpper of ASCII alone, as tor compares names: to it, and so
// to us, "\u0131" is no I.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// Append writes the command in canonical form.
func (c Command) Append(b []byte) []byte {
	if c.Block {
		b = append(b, '+')
	}
	b = append(b, c.Name...)
	if c.Args != "" {
		b = append(append(b, ' '), c.Args...)
	}
	b = append(b, '\r', '\n')
	if c.Block {
		b = AppendData(b, c.Data)
	}
	return b
}

// CommandLine is one line that a controller sent.
type CommandLine struct {
	Raw   []byte // as it came, with the line's end if EOL
	Block bool   // the line opens a data block
	Data  bool   // content of a data block, still dot-stuffed
	Begin bool   // Raw begins the line
	EOL   bool   // Raw ends the line; false only for lines above MaxCommand
	End   bool   // Raw ends the command
}

// Check refuses what must not reach tor: ErrBareCR, ErrNUL.
func (l CommandLine) Check() error {
	if bytes.IndexByte(l.Raw, 0) >= 0 {
		return ErrNUL
	}
	if i := bytes.IndexByte(l.Raw, '\r'); i >= 0 && i != len(l.Raw)-2 {
		return ErrBareCR
	}
	return nil
}

// CommandReader reads a controller's side of a connection, line by line. Its
// buffer is small while little comes, and grows to one line of MaxCommand. It is
// not for concurrent use.
type CommandReader struct {
	r     io.Reader
	buf   []byte
	used  int  // of buf, what was returned
	block bool // inside a data block
	open  bool // the last Raw did not end its line
	last  CommandLine
	err   error
}

const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10
)

// NewCommandReader returns a reader of r.
func NewCommandReader(r io.Reader) *CommandReader { return &CommandReader{r: r} }

// Buffered reports whether ReadLine can return a line without reading.
func (r *CommandReader) Buffered() bool {
	return bytes.IndexByte(r.buf[r.used:], '\n') >= 0
}

// ReadLine returns the next line. Raw is valid until the next call. A line
// above MaxCommand comes in fragments. What stands behind the last line's end
// when the stream ends is returned as a fragment too, before io.EOF.
func (r *CommandReader) ReadLine() (CommandLine, error) {
	searched := 0
	for {
		rest := r.buf[r.used:]
		if i := bytes.IndexByte(rest[searched:], '\n'); i >= 0 {
			return r.take(searched+i+1, true), nil
		}
		if len(rest) > 0 && (r.err != nil || len(rest) >= MaxCommand) {
			return r.take(len(rest), false), nil
		}
		if r.err != nil {
			return CommandLine{}, r.err
		}
		searched = len(rest)
		r.fill()
	}
}

func (r *CommandReader) take(n int, eol bool) CommandLine {
	raw := r.buf[r.used : r.used+n]
	r.used += n
	l := r.last
	if r.open {
		l.Begin = false
	} else {
		l = CommandLine{Begin: true, Data: r.block, Block: !r.block && raw[0] == '+'}
	}
	l.Raw, l.EOL = raw, eol
	l.End = false
	if eol {
		switch {
		case l.Block:
			r.block = true
		case l.Data:
			l.End = l.Begin && isDot(raw)
			r.block = !l.End
		default:
			l.End = true
		}
	}
	r.open, r.last = !eol, l
	return l
}

func (r *CommandReader) fill() {
	rest := r.buf[r.used:]
	switch {
	case cap(r.buf) == 0:
		r.buf = make([]byte, 0, smallBuffer)
	case len(rest) == 0 && len(r.buf) < smallBuffer && cap(r.buf) > smallBuffer:
		r.buf = make([]byte, 0, smallBuffer) // the burst is over
	case len(rest) == 0 && len(r.buf) == cap(r.buf) && cap(r.buf) < largeBuffer:
		r.buf = make([]byte, 0, largeBuffer) // a burst
	case len(rest) == cap(r.buf):
		r.buf = append(make([]byte, 0, min(max(2*cap(r.buf), largeBuffer), MaxCommand)), rest...)
	default:
		r.buf = r.buf[:copy(r.buf[:cap(r.buf)], rest)]
	}
	r.used = 0
	n, err := r.r.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf, r.err = r.buf[:len(r.buf)+n], err
}

// ReadCommand gathers the next command with its data block, to at most
// MaxCommand bytes.
func (r *CommandReader) ReadCommand() (Command, error) {
	var (
		cmd  Command
		data []byte
		size int
	)
	for {
		l, err := r.ReadLine()
		if err != nil {
			if err == io.EOF && size > 0 {
				err = io.ErrUnexpectedEOF
			}
			return Command{}, err
		}
		if size += len(l.Raw); size > MaxCommand || size == MaxCommand && !l.EOL {
			return Command{}, ErrCommandTooLong
		}
		if !l.EOL {
			return Command{}, io.ErrUnexpectedEOF
		}
		if err := l.Check(); err != nil {
			return Command{}, err
		}
		switch {
		case l.Data && !l.End:
			text := trimEOL(l.Raw)
			if len(text) > 0 && text[0] == '.' {
				text = text[1:]
			}
			data = append(append(data, text...), '\n')
		case !l.Data:
			cmd = ParseCommand(string(l.Raw))
		}
		if l.End {
			cmd.Data = string(data)
			return cmd, nil
		}
	}
}
