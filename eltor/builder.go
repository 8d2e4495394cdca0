package eltor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/tor"
)

// between is how long the next circuit waits at most for the one before it to be
// built: relays that hear of several at once can die.
const between = 30 * time.Second

// Builder makes paid circuits, one after the other.
type Builder struct {
	Tor      asker
	Circuits *tor.Circuits

	turn chan struct{}
	last *tor.Circuit // with whoever has the turn
}

// NewBuilder makes one that sends its questions to t and has its circuits followed
// by cs, of the same tor.
func NewBuilder(t asker, cs *tor.Circuits) *Builder {
	return &Builder{Tor: t, Circuits: cs, turn: make(chan struct{}, 1)}
}

// Build begins a circuit and returns when tor has given it an id. Whatever tor
// would die of is an error before it hears of it; one that wraps a
// [*controlspec.ReplyError] is in the words that tor would have used. Right before tor
// hears of it asking is called, if it is not nil; its error keeps it from tor.
func (b *Builder) Build(ctx context.Context, hops []Hop, asking func(context.Context) error) (*tor.Circuit, error) {
	cmd, err := command(hops)
	if err != nil {
		return nil, err
	}
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if err := b.await(ctx); err != nil {
		return nil, err
	}
	if err := b.check(ctx, hops); err != nil {
		return nil, err
	}
	if asking != nil {
		if err := asking(ctx); err != nil {
			return nil, err
		}
	}
	b.last, err = b.Circuits.ExtendBy(ctx, cmd)
	if no := new(controlspec.ReplyError); err != nil && !errors.As(err, &no) {
		return nil, fmt.Errorf("%w: %w", ErrMayBeBuilt, err)
	}
	return b.last, err
}

// ErrMayBeBuilt is in the error of a circuit that tor was asked for and whose answer
// was not heard: relays may have been told their payloads.
var ErrMayBeBuilt = errors.New("tor may have begun the circuit")

// await waits until the circuit before is built, or will not be.
func (b *Builder) await(ctx context.Context) error {
	if b.last == nil {
		return nil
	}
	limit := time.NewTimer(between)
	defer limit.Stop()
	select {
	case <-b.last.Built():
	case <-b.last.Done():
	case <-limit.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// check asks tor whether it knows every relay: one that it does not would kill it.
func (b *Builder) check(ctx context.Context, hops []Hop) error {
	var path []string
	for _, h := range hops {
		path = append(path, h.Fingerprint)
	}
	return controlspec.CheckRouters(path, func(cmd string) (controlspec.Reply, error) { return b.Tor.Do(ctx, cmd) })
}
