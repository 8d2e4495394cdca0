package paystream

import (
	"errors"
	"fmt"
	"time"

	"github.com/el-tor/tops/policies"
)

// What a payee may answer to an intent or to a question about a pay stream.
// The gateway gives each its status code; its client gives the errors back.
var (
	ErrUnknown   = errors.New("no such pay stream")                               // 407
	ErrRetired   = errors.New("this payment id hash was used")                    // 409
	ErrConflict  = errors.New("this payment id hash is taken")                    // 409
	ErrPreimage  = errors.New("the preimage does not fit")                        // 403
	ErrMalformed = errors.New("malformed request")                                // 400
	ErrPaid      = errors.New("this invoice is paid already")                     // 409
	ErrNotNow    = errors.New("a pay stream is continued in its last round only") // 409
)

// Demand asks for money before going on: 402. DueMsat 0 means that no payment
// helps any more, and Reason says why.
type Demand struct {
	DueMsat int64
	Note    RoundID
	Reason  Reason
}

func (d *Demand) Error() string {
	if d.DueMsat == 0 {
		return fmt.Sprintf("the pay stream is over: %s", d.Reason)
	}
	return fmt.Sprintf("%d msat are due", d.DueMsat)
}

// TermsChanged is the answer to an intent under terms that the relay no longer
// offers: 412, with those that it does.
type TermsChanged struct{ Terms policies.Terms }

func (*TermsChanged) Error() string { return "the relay's terms have changed" }

// Busy asks to come back later: 429 if this payer asks too often, 503 if the
// relay cannot serve anybody now.
type Busy struct {
	RetryAfter time.Duration
	TooMany    bool // this payer asks too often
	Reason     string
}

func (b *Busy) Error() string {
	return fmt.Sprintf("%s: try again in %s", b.Reason, b.RetryAfter)
}
