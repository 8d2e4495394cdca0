package gateway

import (
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// The bodies on the wire. Amounts are msat, durations whole milliseconds,
// hashes lower-case hex.
type (
	termsBody struct {
		Terms     string `json:"terms"`
		TermsHash string `json:"terms_hash"`
	}

	intentBody struct {
		PaymentIDHash string         `json:"payment_id_hash"`
		TermsHash     string         `json:"terms_hash"`
		Continues     *continuesBody `json:"continues,omitempty"`
		RoundIDs      []string       `json:"round_ids,omitempty"`
	}

	continuesBody struct {
		PaymentIDHash string `json:"payment_id_hash"`
		Preimage      string `json:"preimage"`
	}

	viewBody struct {
		Handle      string `json:"handle"`
		ElapsedMs   int64  `json:"elapsed_ms"`
		Round       int    `json:"round"`
		BalanceMsat int64  `json:"balance_msat"`
		PaidThrough int    `json:"paid_through"`
		FeeMsat     int64  `json:"fee_msat"`
		DueMsat     int64  `json:"due_msat"`
		DueInMs     int64  `json:"due_in_ms"`
		LateInMs    int64  `json:"late_in_ms"`
		Bytes       int64  `json:"bytes"`
		Allowance   int64  `json:"allowance"`
	}

	endBody struct {
		Preimage string `json:"preimage"`
	}

	invoiceRequestBody struct {
		Round      int   `json:"round"`
		AmountMsat int64 `json:"amount_msat"`
	}

	invoiceBody struct {
		Invoice string `json:"invoice"`
	}
)

func newTermsBody(t policies.Terms) termsBody {
	return termsBody{Terms: t.String(), TermsHash: t.Hash().String()}
}

func (b termsBody) terms() (policies.Terms, error) {
	t, err := policies.ParseTerms(b.Terms)
	if err != nil {
		return t, err
	}
	if t.Hash().String() != b.TermsHash {
		return t, errors.New("terms_hash is not the hash of the terms")
	}
	return t, nil
}

func newIntentBody(in paystream.Intent) intentBody {
	b := intentBody{PaymentIDHash: in.Hash.Hex(), TermsHash: in.TermsHash.String()}
	if c := in.Continues; c != nil {
		b.Continues = &continuesBody{PaymentIDHash: c.Hash.Hex(), Preimage: c.Preimage.Hex()}
	}
	for _, id := range in.RoundIDs {
		b.RoundIDs = append(b.RoundIDs, string(id))
	}
	return b
}

func (b intentBody) intent() (in paystream.Intent, err error) {
	if in.Hash, err = paystream.ParsePaymentIDHash(b.PaymentIDHash); err != nil {
		return in, err
	}
	if in.TermsHash, err = policies.ParseTermsHash(b.TermsHash); err != nil {
		return in, err
	}
	if b.Continues != nil {
		c := new(paystream.Continuation)
		if c.Hash, err = paystream.ParsePaymentIDHash(b.Continues.PaymentIDHash); err != nil {
			return in, fmt.Errorf("continues: %w", err)
		}
		if c.Preimage, err = paystream.ParsePreimage(b.Continues.Preimage); err != nil {
			return in, fmt.Errorf("continues: %w", err)
		}
		in.Continues = c
	}
	if b.RoundIDs != nil { // an empty list is none, and not as if there were no word of it
		in.RoundIDs = []paystream.RoundID{}
	}
	for _, s := range b.RoundIDs {
		id, err := paystream.ParseRoundID(s)
		if err != nil {
			return in, err
		}
		in.RoundIDs = append(in.RoundIDs, id)
	}
	return in, nil
}

// newViewBody rounds so that the payer never believes a deadline later than the
// payee does: what has passed up, what is left down.
func newViewBody(v paystream.View) viewBody {
	return viewBody{
		Handle: string(v.Handle), ElapsedMs: -floorMs(-v.Elapsed), Round: v.Round,
		BalanceMsat: v.BalanceMsat, PaidThrough: v.PaidThrough, FeeMsat: v.FeeMsat, DueMsat: v.DueMsat,
		DueInMs: floorMs(v.DueIn), LateInMs: floorMs(v.LateIn), Bytes: v.Bytes, Allowance: v.Allowance,
	}
}

func floorMs(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d%time.Millisecond < 0 {
		ms--
	}
	return ms
}

// maxMs and maxMsat are beyond anything that terms can mean, and far from
// overflow: 120 rounds of an hour are 4.32e8 ms, 1.2e11 msat.
const (
	maxMs    = 1e11
	maxMsat  = 1e15
	maxBytes = 1 << 50
)

// view checks an answer about the pay stream h.
func (b viewBody) view(h paystream.PaymentIDHash) (v paystream.View, err error) {
	if b.Handle != string(h.Handle()) {
		return v, errors.New("the answer is about another pay stream")
	}
	for _, f := range []struct {
		name      string
		v, lo, hi int64
	}{
		{"elapsed_ms", b.ElapsedMs, -maxMs, maxMs},
		{"round", int64(b.Round), 0, 120},
		{"balance_msat", b.BalanceMsat, 0, maxMsat},
		{"paid_through", int64(b.PaidThrough), 0, 120},
		{"fee_msat", b.FeeMsat, 0, maxMsat},
		{"due_msat", b.DueMsat, 0, maxMsat},
		{"due_in_ms", b.DueInMs, -maxMs, maxMs},
		{"late_in_ms", b.LateInMs, -maxMs, maxMs},
		{"bytes", b.Bytes, 0, maxBytes},
		{"allowance", b.Allowance, 0, maxBytes},
	} {
		if f.v < f.lo || f.v > f.hi {
			return v, fmt.Errorf("%s: %d is out of range", f.name, f.v)
		}
	}
	return paystream.View{
		Handle: h.Handle(), Elapsed: time.Duration(b.ElapsedMs) * time.Millisecond, Round: b.Round,
		BalanceMsat: b.BalanceMsat, PaidThrough: b.PaidThrough, FeeMsat: b.FeeMsat, DueMsat: b.DueMsat,
		DueIn: time.Duration(b.DueInMs) * time.Millisecond, LateIn: time.Duration(b.LateInMs) * time.Millisecond,
		Bytes: b.Bytes, Allowance: b.Allowance,
	}, nil
}
