package paystream

import "github.com/el-tor/tops/policies"

// Intent is the payer's acceptance of a relay's terms.
type Intent struct {
	Hash      PaymentIDHash
	TermsHash policies.TermsHash
	Continues *Continuation // the pay stream that this one goes on from, nil for a fresh one
	RoundIDs  []RoundID     // ids that the payer brings, for rounds 1 to the last; nil: the HMAC's
}

// Continuation names the pay stream that a new one continues, with the proof
// that it is the payer's own.
type Continuation struct {
	Hash     PaymentIDHash
	Preimage Preimage
}
