package controlspec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// DefaultReplyLimit is how many bytes of one reply a [ReplyReader] gathers
// unless told otherwise.
const DefaultReplyLimit = 16 << 20

// ErrTooLong is returned for a reply above a reader's limit. The connection
// cannot be used any more.
var ErrTooLong = errors.New("reply is longer than the limit")

// ReplyLine is one line of a gathered reply.
type ReplyLine struct {
	Text string // what follows code and separator
	Data string // content of its data block, dots unstuffed, lines ended by "\n"
	Code int
	Sep  byte // '-' or ' ', '+' if a data block follows
}

// Reply is a whole reply or event (control-spec §2.3).
type Reply struct {
	Lines []ReplyLine
}

// Code is the status of the last line, which decides.
func (r Reply) Code() int {
	if len(r.Lines) == 0 {
		return 0
	}
	return r.Lines[len(r.Lines)-1].Code
}

// OK reports a positive reply: 2yz.
func (r Reply) OK() bool { return r.Code()/100 == 2 }

// Async reports whether it is an event: 6yz.
func (r Reply) Async() bool { return r.Code()/100 == 6 }

// Err is nil for a positive reply and for an event, otherwise a [*ReplyError]
// with the first line's code and text.
func (r Reply) Err() error {
	if r.OK() || r.Async() {
		return nil
	}
	if len(r.Lines) == 0 {
		return &ReplyError{Text: "empty reply"}
	}
	return &ReplyError{Code: r.Lines[0].Code, Text: r.Lines[0].Text}
}

// Values reads lines of the form key=value, as GETINFO and GETCONF answer;
// the value of a data block is its content. Keys without a value, such as
// "250 OK", are left out.
func (r Reply) Values() map[string]string {
	m := make(map[string]string, len(r.Lines))
	for _, l := range r.Lines {
		if k, v, ok := strings.Cut(l.Text, "="); ok {
			if l.Sep == '+' {
				v = strings.TrimSuffix(l.Data, "\n")
			}
			m[k] = v
		}
	}
	return m
}

// Append writes the reply in canonical form: CRLF, dots stuffed.
func (r Reply) Append(b []byte) []byte {
	for _, l := range r.Lines {
		b = AppendLine(b, l.Code, l.Sep, l.Text)
		if l.Sep == '+' {
			b = AppendData(b, l.Data)
		}
	}
	return b
}

// ReplyError is a negative reply: what tor said, or what TOPS says in its manner
// (control-spec §4).
type ReplyError struct {
	Code int    // 4yz or 5yz
	Text string // one line
}

func (e *ReplyError) Error() string { return fmt.Sprintf("%03d %s", e.Code, e.Text) }

// Errorf makes a ReplyError.
func Errorf(code int, format string, args ...any) *ReplyError {
	return &ReplyError{Code: code, Text: fmt.Sprintf(format, args...)}
}

// AppendLine appends one reply line. Line ends within text become spaces: a text
// that came from elsewhere cannot begin a line of its own.
func AppendLine(b []byte, code int, sep byte, text string) []byte {
	if code < 100 {
		b = append(b, "000"[:3-len(strconv.Itoa(code))]...)
	}
	b = strconv.AppendInt(b, int64(code), 10)
	b = append(b, sep)
	for i := range len(text) {
		c := text[i]
		if c == '\r' || c == '\n' || c == 0 {
			c = ' '
		}
		b = append(b, c)
	}
	return append(b, '\r', '\n')
}

// AppendData appends a data block with its final dot, stuffing dots. A final
// newline of data is optional; CRs before a line's end are left out, all of them,
// so that what is read back and written again is the same.
func AppendData(b []byte, data string) []byte {
	for data != "" {
		line, rest, _ := strings.Cut(data, "\n")
		data = rest
		if strings.HasPrefix(line, ".") {
			b = append(b, '.')
		}
		b = append(b, strings.TrimRight(line, "\r")...)
		b = append(b, '\r', '\n')
	}
	return append(b, ".\r\n"...)
}

// ReplyReader reads tor's side of a control connection for a client that wants
// whole replies. It is not for concurrent use.
type ReplyReader struct {
	// Limit bounds the bytes of one reply; 0 means DefaultReplyLimit.
	Limit int

	r       io.Reader
	scanner Scanner
	buf     []byte
	used    int // of buf, what Next has consumed
	err     error
}

// NewReplyReader returns a reader of r.
func NewReplyReader(r io.Reader) *ReplyReader { return &ReplyReader{r: r} }

// ReadLine returns the next line, without gathering a reply; very long lines
// come in fragments. Raw is valid until the next call. At the end of the stream
// the error is io.EOF between replies and io.ErrUnexpectedEOF within one.
func (r *ReplyReader) ReadLine() (Line, error) {
	for {
		if l := r.scanner.Next(r.buf[r.used:]); len(l.Raw) > 0 {
			r.used += len(l.Raw)
			return l, nil
		}
		if r.err != nil {
			if r.err == io.EOF && (!r.scanner.Whole() || r.used < len(r.buf)) {
				return Line{}, io.ErrUnexpectedEOF
			}
			return Line{}, r.err
		}
		r.fill()
	}
}

func (r *ReplyReader) fill() {
	if cap(r.buf) == 0 {
		r.buf = make([]byte, 0, 4096)
	}
	r.buf = r.buf[:copy(r.buf[:cap(r.buf)], r.buf[r.used:])]
	r.used = 0
	n, err := r.r.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf, r.err = r.buf[:len(r.buf)+n], err
}

// ReadReply gathers the next reply or event.
func (r *ReplyReader) ReadReply() (Reply, error) {
	limit := r.Limit
	if limit == 0 {
		limit = DefaultReplyLimit
	}
	var (
		rep  Reply
		text []byte // of the line or data block being read
		size int
	)
	for {
		l, err := r.ReadLine()
		if err != nil {
			if err == io.EOF && size > 0 {
				err = io.ErrUnexpectedEOF
			}
			return Reply{}, err
		}
		if size += len(l.Raw); size > limit {
			return Reply{}, ErrTooLong
		}
		switch {
		case l.Dot:
			rep.Lines[len(rep.Lines)-1].Data = string(text)
			text = text[:0]
			continue
		case l.Data:
			text = append(text, l.Text()...)
			if l.EOL {
				if len(l.Raw) == 1 { // a fragment was cut between CR and LF
					text = bytes.TrimSuffix(text, []byte{'\r'})
				}
				text = append(text, '\n')
			}
			continue
		}
		// The end of a line may come in a fragment of its own, cut between
		// CR and LF; so it is trimmed from the whole.
		if raw := l.Raw; l.Begin && l.Code != 0 {
			text = append(text, raw[min(4, len(raw)):]...)
		} else {
			text = append(text, raw...)
		}
		if !l.EOL {
			continue
		}
		if l.Code == 0 {
			return Reply{}, fmt.Errorf("malformed reply line of %d bytes", len(text))
		}
		rep.Lines = append(rep.Lines, ReplyLine{Code: l.Code, Sep: l.Sep, Text: string(trimEOL(text))})
		text = text[:0]
		if l.End {
			return rep, nil
		}
	}
}

// ParseReply reads one reply or event from its bytes, which must hold it and
// nothing else.
func ParseReply(b []byte) (Reply, error) {
	r := ReplyReader{r: bytes.NewReader(b), Limit: len(b) + 1}
	rep, err := r.ReadReply()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Reply{}, err
	}
	if _, err := r.ReadLine(); err != io.EOF {
		return Reply{}, errors.New("trailing bytes after the reply")
	}
	return rep, nil
}
