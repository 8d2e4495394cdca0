package gateway

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

func TestRefusalOfEveryError(t *testing.T) {
	seen := []Refusal{RefusedStranger, RefusedRoom} // of connections, not of errors
	for _, c := range []struct {
		err  error
		want Refusal
	}{
		{&paystream.Demand{DueMsat: 1000}, RefusedUnpaid},
		{&paystream.Demand{Reason: paystream.ReasonLate}, RefusedOver},
		{paystream.ErrUnknown, RefusedUnknown},
		{&paystream.TermsChanged{Terms: policies.Terms{}}, RefusedTerms},
		{&paystream.Busy{RetryAfter: time.Second, TooMany: true}, RefusedRate},
		{&paystream.Busy{RetryAfter: time.Second}, RefusedBusy},
		{fmt.Errorf("wrapped: %w", ErrPolicy), RefusedPolicy},
		{&TargetError{Code: TargetRefused}, RefusedTarget},
		{&TargetError{Code: TargetTimeout}, RefusedTarget},
		{paystream.ErrRetired, RefusedConflict},
		{paystream.ErrMalformed, RefusedRequest},
		{paystream.ErrPreimage, RefusedRequest},
		{errHeadTooLarge, RefusedRequest},
		{errors.New("the disk is full"), RefusedFailed},
	} {
		status, _, _, ours := describe(c.err)
		if got := refusal(c.err, status, ours); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
		seen = append(seen, c.want)
	}
	for _, r := range Refusals() {
		if !slices.Contains(seen, r) {
			t.Errorf("nothing here is refused for %q", r)
		}
	}
}
