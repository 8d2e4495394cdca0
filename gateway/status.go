package gateway

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/el-tor/tops/paystream"
)

// errorBody is the body of every answer that is not 2xx.
type errorBody struct {
	Error     string `json:"error"`          // for people
	Code      string `json:"code,omitempty"` // tells the answers of one status apart
	DueMsat   *int64 `json:"due_msat,omitempty"`
	Note      string `json:"note,omitempty"`
	Reason    string `json:"reason,omitempty"`
	Terms     string `json:"terms,omitempty"`
	TermsHash string `json:"terms_hash,omitempty"`
}

// coded are the errors that are nothing but a status and a code.
var coded = []struct {
	err    error
	status int
	code   string
}{
	{paystream.ErrMalformed, http.StatusBadRequest, "malformed"},
	{paystream.ErrPreimage, http.StatusForbidden, "preimage"},
	{ErrPolicy, http.StatusForbidden, "policy"},
	{paystream.ErrUnknown, http.StatusProxyAuthRequired, "unknown"},
	{paystream.ErrRetired, http.StatusConflict, "retired"},
	{paystream.ErrConflict, http.StatusConflict, "conflict"},
	{paystream.ErrPaid, http.StatusConflict, "paid"},
	{paystream.ErrNotNow, http.StatusConflict, "not_now"},
	{errHeadTooLarge, http.StatusRequestHeaderFieldsTooLarge, "head"},
	{errBodyTooLarge, http.StatusRequestEntityTooLarge, "body"},
	{errVersion, http.StatusHTTPVersionNotSupported, "version"},
	{errNotFound, http.StatusNotFound, "path"},
	{errMethod, http.StatusMethodNotAllowed, "method"},
	{errLength, http.StatusLengthRequired, "length"},
}

var (
	errNotFound = errors.New("no such path: see GET /tops/v1/terms")
	errMethod   = errors.New("this path does not know that method")
	errLength   = errors.New("a body with a content-length is needed")
)

// busyUnknown answers an error that is none of the protocol's: the relay's own
// trouble, which is nobody else's to read.
const busyUnknown = 5 * time.Second

// maxRetry is the longest Retry-After that is written, or believed.
const maxRetry = 24 * time.Hour

// describe turns an error into an answer. ours is false for an error that is
// none of the protocol's.
func describe(err error) (status int, retry time.Duration, body errorBody, ours bool) {
	var (
		demand  *paystream.Demand
		changed *paystream.TermsChanged
		busy    *paystream.Busy
		target  *TargetError
		bad     headError
	)
	switch {
	case errors.As(err, &demand):
		body = errorBody{Error: demand.Error(), DueMsat: &demand.DueMsat, Note: string(demand.Note), Reason: string(demand.Reason)}
		return http.StatusPaymentRequired, 0, body, true
	case errors.As(err, &changed):
		t := newTermsBody(changed.Terms)
		return http.StatusPreconditionFailed, 0, errorBody{Error: changed.Error(), Terms: t.Terms, TermsHash: t.TermsHash}, true
	case errors.As(err, &busy):
		status = http.StatusServiceUnavailable
		if busy.TooMany {
			status = http.StatusTooManyRequests
		}
		return status, min(max(busy.RetryAfter, time.Second), maxRetry), errorBody{Error: busy.Reason}, true
	case errors.As(err, &target):
		return target.status(), 0, errorBody{Error: target.Error(), Code: string(target.Code)}, true
	case errors.As(err, &bad):
		return http.StatusBadRequest, 0, errorBody{Error: bad.Error(), Code: "http"}, true
	}
	for _, c := range coded {
		if errors.Is(err, c.err) {
			return c.status, 0, errorBody{Error: err.Error(), Code: c.code}, true
		}
	}
	return http.StatusServiceUnavailable, busyUnknown, errorBody{Error: "the relay cannot answer now"}, false
}

// asError is the way back: what an answer means to the payer.
func asError(r response) error {
	var b errorBody
	if err := unmarshal(r.body, &b); err != nil {
		return fmt.Errorf("answer %d: %w", r.status, err)
	}
	switch r.status {
	case http.StatusPaymentRequired:
		return b.demand()
	case http.StatusPreconditionFailed:
		t, err := termsBody{b.Terms, b.TermsHash}.terms()
		if err != nil {
			return fmt.Errorf("answer 412: %w", err)
		}
		return &paystream.TermsChanged{Terms: t}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after, err := retryAfter(r.fields["retry-after"])
		if err != nil {
			return fmt.Errorf("answer %d: %w", r.status, err)
		}
		return &paystream.Busy{RetryAfter: after, TooMany: r.status == http.StatusTooManyRequests, Reason: clean(b.Error)}
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		if t := newTargetError(b.Code); t.status() == r.status {
			return t
		}
		return &TargetError{Code: TargetFailed}
	}
	for _, c := range coded {
		if c.status == r.status && c.code == b.Code {
			return fmt.Errorf("the relay answered %d: %w", r.status, c.err)
		}
	}
	return fmt.Errorf("the relay answered %d: %s", r.status, clean(b.Error))
}

func (b errorBody) demand() error {
	if b.DueMsat == nil || *b.DueMsat < 0 || *b.DueMsat > maxMsat {
		return errors.New("answer 402: due_msat is missing or out of range")
	}
	d := &paystream.Demand{DueMsat: *b.DueMsat, Reason: paystream.Reason(b.Reason)}
	if !isReason(b.Reason) {
		return fmt.Errorf("answer 402: %q is no reason", clean(b.Reason))
	}
	if b.Note != "" {
		id, err := paystream.ParseRoundID(b.Note)
		if err != nil {
			return fmt.Errorf("answer 402: note: %w", err)
		}
		d.Note = id
	}
	return d
}

// isReason keeps a relay from writing what it likes into a controller's events.
func isReason(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) <= 32
}

func retryAfter(s string) (time.Duration, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n > uint64(maxRetry/time.Second) {
		return 0, fmt.Errorf("retry-after %q is no number of seconds up to a day", clean(s))
	}
	return time.Duration(n) * time.Second, nil
}

func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// clean makes a stranger's words fit for a log: short, and printable.
func clean(s string) string {
	if len(s) > 120 {
		s = s[:120]
	}
	if !visible(s, false) {
		return strconv.QuoteToASCII(s)
	}
	return s
}
