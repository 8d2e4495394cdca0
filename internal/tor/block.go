package tor

import (
	"context"
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// DoBlock sends a command with its data block and waits for the reply, as Do does.
func (c *Conn) DoBlock(ctx context.Context, cmd controlspec.Command) (controlspec.Reply, error) {
	raw := cmd.Append(nil)
	if len(raw) > controlspec.MaxCommand {
		return controlspec.Reply{}, controlspec.ErrCommandTooLong
	}
	replies, err := c.exchange(ctx, []string{strings.TrimSuffix(string(raw), "\r\n")})
	if err == nil {
		err = replies[0].Err()
	}
	if err != nil { // arguments and data may be secret, and stay out of errors
		return controlspec.Reply{}, fmt.Errorf("%s: %w", cmd.Name, err)
	}
	return replies[0], nil
}

// DoBlock sends a command with its data block on the present connection,
// ErrNotConnected without one.
func (l *link) DoBlock(ctx context.Context, cmd controlspec.Command) (controlspec.Reply, error) {
	conn := l.get()
	if conn == nil {
		return controlspec.Reply{}, ErrNotConnected
	}
	return conn.DoBlock(ctx, cmd)
}

// ExtendBy begins a circuit by a command of the caller's, whose positive reply is
// EXTENDED and an id as that of EXTENDCIRCUIT is, and follows it.
func (cs *Circuits) ExtendBy(ctx context.Context, cmd controlspec.Command) (*Circuit, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return cs.begin(ctx, func(ctx context.Context) (controlspec.Reply, error) { return cs.DoBlock(ctx, cmd) })
}
