package eltor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/policies"
)

const relayFP = "0123456789ABCDEF0123456789ABCDEF01234567"

// TestParseDescriptor: each value of a relay's, one by one.
func TestParseDescriptor(t *testing.T) {
	offer := "PaymentBolt12Offer lno1pgexample"
	for name, x := range map[string]struct {
		lines string
		want  string // of the terms, or of the error
	}{
		"all":                {offer + "\nPaymentRateMsats 700\nPaymentInterval 30\nPaymentInvervalRounds 8\nPaymentHandshakeFee 5", "700 30s 8 5 15s"},
		"a rate alone":       {offer + "\nPaymentRateMsats 1000", "1000 1m0s 10 0 15s"},
		"nothing":            {"", "asks for no payment"},
		"an offer alone":     {offer, "asks for no payment"},
		"rate 0":             {offer + "\nPaymentRateMsats 0", "asks for no payment"},
		"rate negative":      {offer + "\nPaymentRateMsats -1", "PaymentRateMsats -1 is negative"},
		"rate no number":     {offer + "\nPaymentRateMsats 1e3", "is no number"},
		"rate signed":        {offer + "\nPaymentRateMsats +5", "is no number"},
		"rate beyond 64 bit": {offer + "\nPaymentRateMsats 99999999999999999999", "is no number"},
		"rate absurd":        {offer + "\nPaymentRateMsats 2147483647", "topsratemsat:2147483647 is outside"},
		"interval 0":         {offer + "\nPaymentRateMsats 1\nPaymentInterval 0", "1 1m0s 10 0 15s"},
		"interval 1":         {offer + "\nPaymentRateMsats 1\nPaymentInterval 1", "1 1s 10 0 1s"},
		"interval negative":  {offer + "\nPaymentRateMsats 1\nPaymentInterval -60", "negative"},
		"interval absurd":    {offer + "\nPaymentRateMsats 1\nPaymentInterval 9223372036854775807", "topsintervalsec:4294967296 is outside"},
		"rounds 0":           {offer + "\nPaymentRateMsats 1\nPaymentInvervalRounds 0", "1 1m0s 10 0 15s"},
		"rounds 1":           {offer + "\nPaymentRateMsats 1\nPaymentInvervalRounds 1", "topsrounds:1 is outside"},
		"rounds 11":          {offer + "\nPaymentRateMsats 1\nPaymentInvervalRounds 11", "1 1m0s 10 0 15s"},
		"rounds negative":    {offer + "\nPaymentRateMsats 1\nPaymentInvervalRounds -3", "negative"},
		"rounds well spelt":  {offer + "\nPaymentRateMsats 1\nPaymentIntervalRounds 4", "1 1m0s 10 0 15s"},
		"fee negative":       {offer + "\nPaymentRateMsats 1\nPaymentHandshakeFee -1", "negative"},
		"fee absurd":         {offer + "\nPaymentRateMsats 1\nPaymentHandshakeFee 2000000000", "topsfeemsat:2000000000 is outside"},
		"fee without rate":   {offer + "\nPaymentHandshakeFee 5", "cannot be paid by rounds"},
		"quota negative":     {offer + "\nPaymentRateMsats 1\nPaymentBandwidthQuota -7", "1 1m0s 10 0 15s"},
		"twice":              {offer + "\nPaymentRateMsats 1\nPaymentRateMsats 2", "PaymentRateMsats stands twice"},
		"no descriptor":      {"PaymentRateMsats 1", "does not say where"},
		"offer broken":       {"PaymentRateMsats 1\nPaymentBolt12Offer lnbc1x", "is not a BOLT12 offer"},
		"bip353":             {"PaymentRateMsats 1\nPaymentBip353 ₿me@example.com", "1 1m0s 10 0 15s"},
		"address":            {"PaymentRateMsats 1\nPaymentBolt11LightningAddress me@example.com", "1 1m0s 10 0 15s"},
		"lnurl alone":        {"PaymentRateMsats 1\nPaymentBolt11Lnurl LNURL1X", "an LNURL alone"},
	} {
		t.Run(name, func(t *testing.T) {
			terms, err := eltor.ParseDescriptor("router r 198.18.0.1 9001 0 0\n"+x.lines+"\nntor-onion-key x\n", relayFP)
			if err != nil {
				if !strings.Contains(err.Error(), x.want) {
					t.Fatalf("error %q, want %q", err, x.want)
				}
				if (x.want == "asks for no payment") != errors.Is(err, eltor.ErrFree) {
					t.Errorf("%v: free or not", err)
				}
				return
			}
			if got := fmt.Sprint(terms.RateMsat, " ", terms.Interval, " ", terms.Rounds, " ", terms.FeeMsat, " ", terms.Grace); got != x.want {
				t.Errorf("got %s, want %s", got, x.want)
			}
			if terms.FreeRounds != 0 || terms.FinalMsat != terms.RateMsat || terms.Prepay != 1 || terms.Gateway != eltor.NoGateway {
				t.Errorf("terms of another carrier: %s", terms)
			}
			if again, err := policies.ParseTerms(terms.String()); err != nil || again != terms {
				t.Errorf("the journal would read %v, %v", again, err)
			}
		})
	}
}

// TestOptionsAgree: what a relay of ours publishes is what a client of ours reads,
// to the hash: an opening fee is known by it.
func TestOptionsAgree(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, time.Minute} {
		terms := policies.DefaultTerms(relayFP, policies.Descriptor{Kind: policies.Offer, Value: "lno1x"}, eltor.NoGateway)
		terms.FeeMsat, terms.Interval, terms.Grace, terms.Rounds = 700, interval, eltor.PublishedGrace(interval), 60
		terms = eltor.Terms(terms)
		var text string
		for _, o := range eltor.Options(terms) {
			for _, v := range o.Apply(nil) {
				if strings.HasPrefix(o.Key, "Payment") && v != "0" {
					text += o.Key + " " + v + "\n"
				}
			}
		}
		read, err := eltor.ParseDescriptor(text, relayFP)
		if err != nil || read.Hash() != terms.Hash() {
			t.Errorf("published %s\nread      %s, %v", terms, read, err)
		}
	}
}

// TestContactInfo: the operator's words stay, and other terms change the line.
func TestContactInfo(t *testing.T) {
	a := eltor.Terms(policies.DefaultTerms(relayFP, policies.Descriptor{Kind: policies.Offer, Value: "lno1x"}, eltor.NoGateway))
	b := a
	b.RateMsat = 5
	contact := func(t policies.Terms, base ...string) string {
		all := eltor.Options(t)
		return all[len(all)-1].Apply(base)[0]
	}
	first := contact(a, "me at example.com")
	second := contact(b, first)
	if first == second || !strings.HasPrefix(second, "me at example.com topseltor:") || strings.Count(second, "topseltor:") != 1 {
		t.Errorf("%q, then %q", first, second)
	}
}

func TestParseEvent(t *testing.T) {
	p := eltor.NewPayload()
	hex := p.String()
	for _, line := range []string{
		"650 EVENT_PAYMENT_ID_HASH_RECEIVED 0 " + hex,
		"650 EVENT_PAYMENT_ID_HASH_RECEIVED 18446744073709551615 " + hex,
		"650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=4026444992 N_CIRC_ID=0 PAYMENT_HASH=" + hex,
	} {
		e, err := eltor.ParseEvent(line)
		if err != nil || e.Payload.String() != hex || strings.Contains(line, "P_CIRC_ID") != (e.Circuit == 4026444992) {
			t.Errorf("%.60q: %d, %v", line, e.Circuit, err)
		}
	}
	const b = "650 EVENT_PAYMENT_ID_HASH_RECEIVED "
	for _, line := range []string{
		"", "250 OK", "650 CIRC 1 BUILT", "650 PAYMENT_ID_HASH_RECEIVED 0 " + hex, "650-EVENT_PAYMENT_ID_HASH_RECEIVED 0 " + hex,
		b, b + hex, b + "0  " + hex, b + "0 " + hex + " ", b + "0 " + hex[1:], b + "0 " + hex + "0", b + "x " + hex, b + "00 " + hex, b + "-1 " + hex,
		b + "0 " + strings.ToUpper(hex), b + "0 " + hex[:700] + "\r" + hex[701:], b + "0 " + hex[:128] + strings.Repeat(hex[128:192], 10),
		b + "P_CIRC_ID=0 N_CIRC_ID=0 PAYMENT_HASH=" + hex,
		b + "P_CIRC_ID=4294967296 N_CIRC_ID=0 PAYMENT_HASH=" + hex,
		b + "P_CIRC_ID=1 N_CIRC_ID= PAYMENT_HASH=" + hex,
		b + "N_CIRC_ID=0 P_CIRC_ID=1 PAYMENT_HASH=" + hex,
		b + "P_CIRC_ID=1 N_CIRC_ID=0 PAYMENT_HASH=" + hex + " P_CIRC_ID=2",
		b + "P_CIRC_ID=1 N_CIRC_ID=0 " + hex,
		b + "P_CIRC_ID=1 PAYMENT_HASH=" + hex,
		b + "0 " + strings.Repeat(hex, 3),
	} {
		if e, err := eltor.ParseEvent(line); err == nil {
			t.Errorf("%.80q was taken: circuit %d", line, e.Circuit)
		} else if strings.Contains(err.Error(), hex[:16]) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	p := eltor.NewPayload()
	f.Add("650 EVENT_PAYMENT_ID_HASH_RECEIVED 0 " + p.String())
	f.Add("650 EVENT_PAYMENT_ID_HASH_RECEIVED P_CIRC_ID=2147483648 N_CIRC_ID=7 PAYMENT_HASH=" + p.String())
	f.Fuzz(func(t *testing.T, line string) {
		e, err := eltor.ParseEvent(line)
		if err != nil {
			return
		}
		if !strings.HasSuffix(line, e.Payload.String()) || strings.ContainsAny(line, "\r\n\x00") {
			t.Fatalf("%q was taken", line)
		}
	})
}

func TestPayload(t *testing.T) {
	p := eltor.NewPayload()
	if err := p.Verify(); err != nil {
		t.Fatal(err)
	}
	again, err := eltor.ParsePayload(p.String())
	if err != nil || again.String() != p.String() || len(p.String()) != 768 {
		t.Fatalf("%v", err)
	}
	q := eltor.NewPayload()
	q.Hash = p.Hash
	if !errors.Is(q.Verify(), eltor.ErrPreimage) {
		t.Error("another's hash was taken")
	}
}
