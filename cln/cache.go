package cln

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// cache keeps what the node said of the descriptors that are paid to, for ten minutes: an offer always decodes to the
// same, and a name seldom changes.
type cache[T any] struct {
	now func() time.Time
	ask func(ctx context.Context, c *Client, text string) (T, error)

	mu    sync.Mutex // protects known
	known map[string]entry[T]
}

type entry[T any] struct {
	value T
	until time.Time
}

func newCache[T any](now func() time.Time, ask func(context.Context, *Client, string) (T, error)) *cache[T] {
	return &cache[T]{now: now, ask: ask, known: map[string]entry[T]{}}
}

func (k *cache[T]) get(ctx context.Context, c *Client, text string) (T, error) {
	k.mu.Lock()
	e, ok := k.known[text]
	k.mu.Unlock()
	if ok && k.now().Before(e.until) {
		return e.value, nil
	}
	v, err := k.ask(ctx, c, text)
	if err != nil {
		return v, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxPayees {
		clear(k.known)
	}
	k.known[text] = entry[T]{v, k.now().Add(10 * time.Minute)}
	return v, nil
}

// decodeOffer decodes an offer that can be paid to.
func decodeOffer(ctx context.Context, c *Client, text string) (Decoded, error) {
	d, err := c.Decode(ctx, text)
	if err == nil && (d.Type != "bolt12 offer" || !d.Valid) {
		err = &Error{Method: "decode", Code: CodeParams, Message: fmt.Sprintf("a %q, valid %t, is no offer", d.Type, d.Valid)}
	}
	return d, err
}

// resolveName finds the offer behind a BIP 353 name.
func resolveName(ctx context.Context, c *Client, name string) (string, error) {
	return c.FetchBIP353(ctx, name)
}
