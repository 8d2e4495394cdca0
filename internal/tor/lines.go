package tor

import (
	"bytes"
	"context"
	"fmt"

	"github.com/el-tor/tops/controlspec"
)

// maxLine is how much of a line is kept: what is longer is cut.
const maxLine = 4 << 10

// DialLines connects, subscribes to one event, and gives every line that comes
// from then on to take, as it came but for its end: for an event that repeats a
// stranger's bytes as they are, with which nothing on the connection can be
// believed. No command may be sent on it any more. take must not block. The
// connection lasts until Close; see [Conn.Done].
func DialLines(ctx context.Context, o Options, event string, take func(line []byte)) (*Conn, error) {
	c, err := Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	c.lines.Store(&take)
	if _, err := c.Do(ctx, "SETEVENTS "+event); err != nil {
		c.Close()
		return nil, fmt.Errorf("subscribing to tor's events: %w", err)
	}
	return c, nil
}

// readLines gives whole lines to take until the connection ends.
func readLines(r *controlspec.ReplyReader, take func([]byte)) error {
	var line []byte
	for {
		l, err := r.ReadLine()
		if err != nil {
			return err
		}
		if room := maxLine - len(line); room > 0 {
			line = append(line, l.Raw[:min(room, len(l.Raw))]...)
		}
		if l.EOL {
			take(bytes.TrimRight(line, "\r\n"))
			line = line[:0]
		}
	}
}
