package client

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

func TestAtACapItIsSaidOnce(t *testing.T) {
	refused := func(why paystream.Reason) error {
		return fmt.Errorf("no circuit: %w", &paystream.Refusal{Reason: why, Err: errors.New("really")})
	}
	for _, tc := range []struct {
		otherwise policies.Otherwise
		err       error
		reason    paystream.Reason // empty: it is no cap
	}{
		{policies.Free, refused(paystream.ReasonBudget), paystream.ReasonBudget},
		{policies.Free, refused(paystream.ReasonFee), paystream.ReasonFee},
		{policies.Free, fmt.Errorf("no relay: %w", policies.ErrNoTerms), paystream.ReasonTerms},
		{policies.Free, errors.New("tor is away"), ""},
		{policies.Refuse, refused(paystream.ReasonBudget), paystream.ReasonBudget},
	} {
		var logged []error
		var told []paystream.Event
		now := time.Now()
		c := &Client{policy: policies.DefaultPayment(), cfg: Config{
			Now: func() time.Time { return now }, Failed: func(err error) { logged = append(logged, err) },
			Emit: func(e paystream.Event) { told = append(told, e) },
		}}
		c.policy.Otherwise = tc.otherwise
		for range 3 {
			if free := c.atCap(tc.err); free != (tc.otherwise == policies.Free && tc.reason != "") {
				t.Errorf("%v, %s: free %v", tc.err, tc.otherwise, free)
			}
		}
		at, is := c.AtCap()
		if tc.reason == "" {
			if is || len(logged) > 0 || len(told) > 0 {
				t.Errorf("%v is taken for a cap: %+v", tc.err, at)
			}
			continue
		}
		if !is || at.Reason != tc.reason || at.Free != (tc.otherwise == policies.Free) {
			t.Errorf("%v: the status is %+v", tc.err, at)
		}
		if len(logged) != 1 || len(told) != 1 || told[0].Status != paystream.StatusRefused || told[0].Reason != tc.reason {
			t.Errorf("%v, three times: logged %v, told %v; want each once", tc.err, logged, told)
		}
		if _, err := paystream.ParseHandle(string(told[0].Handle)); err != nil {
			t.Errorf("the event names no handle: %v", err)
		}
		c.capLifted()
		if _, is := c.AtCap(); is {
			t.Error("the cap stays when circuits are paid again")
		}
		c.atCap(tc.err)
		if _, is := c.AtCap(); !is || len(logged) != 1 {
			t.Errorf("at once the same again: said %v, at a cap %v", logged, is)
		}
		now = now.Add(capQuiet)
		if c.atCap(tc.err); len(logged) != 1 {
			t.Error("it is said again while it lasts")
		}
		c.capLifted()
		c.atCap(tc.err)
		if len(logged) != 2 {
			t.Error("the next time nothing is said")
		}
	}
}
