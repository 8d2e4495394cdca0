package app

import (
	"context"
	"errors"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
)

// errNoClient answers what only a payer can do.
var errNoClient = errors.New("this tops pays nobody: its configuration has no [client] table")

// Status is what `tops status` shows.
func (a *App) Status(ctx context.Context) (any, error) { return a.status(ctx) }

// Terms are the relay's own, or those of the relay with a fingerprint.
func (a *App) Terms(ctx context.Context, fingerprint string) (any, error) {
	t := a.engine.Relay
	switch {
	case a.relay != nil && (fingerprint == "" || fingerprint == t.Relay):
		t = a.relay.Terms()
	case fingerprint == "":
		return nil, errors.New("this tops is no relay: say the fingerprint of one")
	case a.client == nil:
		return nil, errNoClient
	default:
		var err error
		if t, err = a.client.RelayTerms(ctx, fingerprint); err != nil {
			return nil, err
		}
	}
	return map[string]string{"terms": t.String(), "terms_hash": t.Hash().String()}, nil
}

// Relays are those that ask to be paid, and what is known of them.
func (a *App) Relays(ctx context.Context) (any, error) {
	if a.client == nil {
		return nil, errNoClient
	}
	list, err := a.client.RelayList(ctx)
	return map[string]any{"relays": list}, err
}

// PayStreams are those that live, or ended a short while ago.
func (a *App) PayStreams(ctx context.Context) (any, error) {
	st, err := a.status(ctx)
	return map[string]any{"paystreams": st.PayStreams}, err
}

// PayStream tells the story of one.
func (a *App) PayStream(ctx context.Context, handle string) (any, error) {
	h, err := paystream.ParseHandle(handle)
	if err != nil {
		return nil, err
	}
	return a.books.PayStream(ctx, h)
}

// Ledger is the books: totals and the latest pay streams.
func (a *App) Ledger(ctx context.Context, limit int) (any, error) {
	totals, err := a.books.Totals(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := a.books.PayStreams(ctx, ledger.Filter{Limit: limit})
	return map[string]any{"totals": totals, "paystreams": rows}, err
}

// Pay builds a circuit along a path, or one of our choice, and pays its exit on
// the operator's account.
func (a *App) Pay(ctx context.Context, path []string) (any, error) {
	if a.client == nil {
		return nil, errNoClient
	}
	if len(path) == 0 {
		var err error
		if path, err = a.client.ChoosePath(ctx); err != nil {
			return nil, err
		}
	}
	id, err := a.client.ExtendPaidCircuit(ctx, "operator", path)
	return map[string]any{"circuit": id, "path": path}, err
}

// Stop ends a pay stream of ours.
func (a *App) Stop(ctx context.Context, handle string) (any, error) {
	h, err := paystream.ParseHandle(handle)
	if err != nil {
		return nil, err
	}
	if a.client == nil {
		return nil, errNoClient
	}
	if err := a.client.Stop(ctx, h); err != nil {
		return nil, err
	}
	return map[string]paystream.Handle{"stopped": h}, nil
}

// Look makes the relay ask its node for payments at once.
func (a *App) Look() {
	if a.receiver != nil {
		a.receiver.Look()
	}
}
