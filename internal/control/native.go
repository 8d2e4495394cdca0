package control

import (
	"context"
	"errors"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/paystream"
)

// extendNative gives El Tor's tor a circuit whose hops all carry what the
// controller brought. It pays them itself, and what it pays is its own affair: no
// pay stream is followed, and nothing is in the books.
func (e *Engine) extendNative(ctx context.Context, hops []controlspec.PaidHop) (string, error) {
	var wire []eltor.Hop
	for i, h := range hops {
		p, err := preimage(h, i+1)
		if err != nil {
			return "", err
		}
		payload := eltor.Payload{Hash: p.Hash(), Preimage: p}
		for _, id := range h.RoundIDs {
			payload.RoundIDs = append(payload.RoundIDs, paystream.RoundID(id))
		}
		wire = append(wire, eltor.Hop{Fingerprint: h.Fingerprint, Payload: payload})
	}
	id, err := e.Native(ctx, wire)
	var said *controlspec.ReplyError
	switch {
	case errors.As(err, &said):
		return "", said
	case err != nil:
		return "", refusal(err)
	}
	return id, nil
}
