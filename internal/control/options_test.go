package control_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/control"
	"github.com/el-tor/tops/policies"
	"github.com/el-tor/tops/proxy"
)

// termsKeeper is a relay in memory.
type termsKeeper struct {
	terms policies.Terms
	away  error // what preparing ends with
	fails error // and putting in force
}

func defaultTerms() policies.Terms {
	return policies.DefaultTerms(strings.Repeat("A", 40), policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
}

func (k *termsKeeper) ConfiguredTerms() policies.Terms { return defaultTerms() }
func (k *termsKeeper) Terms() policies.Terms           { return k.terms }

func (k *termsKeeper) PrepareTerms(_ context.Context, t policies.Terms) (func(context.Context) error, error) {
	return func(context.Context) error {
		if k.fails == nil {
			k.terms = t
		}
		return k.fails
	}, k.away
}

// changes reads "Key=value Key".
func changes(s string) (out []controlspec.ConfChange) {
	for w := range strings.FieldsSeq(s) {
		k, v, ok := strings.Cut(w, "=")
		out = append(out, controlspec.ConfChange{Key: k, Value: v, Set: ok})
	}
	return out
}

func set(o *control.Options, s string) error {
	commit, err := o.Prepare(context.Background(), proxy.Controller{}, changes(s))
	if err != nil {
		return err
	}
	return commit()
}

func get(t *testing.T, o *control.Options, key string) string {
	t.Helper()
	name, values, ok := o.Get(t.Context(), key)
	if !ok || !strings.EqualFold(name, key) {
		t.Fatalf("GETCONF %s: %q, %v", key, name, ok)
	}
	return strings.Join(values, "|")
}

func TestOptionsChangeTheTerms(t *testing.T) {
	k := &termsKeeper{terms: defaultTerms()}
	o := &control.Options{Relay: k}
	for _, step := range []struct {
		set  string
		want func(*policies.Terms)
	}{
		{"PaymentRateMsats=3000", func(t *policies.Terms) { t.RateMsat, t.FinalMsat = 3000, 6000 }},
		{"paymentratemsats=1500 PaymentHandshakeFee=7", func(t *policies.Terms) { t.RateMsat, t.FinalMsat, t.FeeMsat = 1500, 3000, 7 }},
		{"PaymentInterval=10", func(t *policies.Terms) {
			t.RateMsat, t.FinalMsat, t.FeeMsat, t.Interval, t.Grace = 1500, 3000, 7, 10*time.Second, 10*time.Second
		}},
		{"PaymentRateMsats PaymentHandshakeFee= PaymentInterval", func(*policies.Terms) {}},
		{"PaymentInvervalRounds=4", func(t *policies.Terms) { t.Rounds, t.Prepay = 4, 4 }},
		{"PaymentInvervalRounds=12 PaymentBandwidthQuota=1000000", func(t *policies.Terms) { t.Rounds, t.RoundBytes = 12, 1000000 }},
		{"PaymentInvervalRounds PaymentBandwidthQuota", func(*policies.Terms) {}},
		{"PaymentBolt12Offer=lno1example PaymentBip353 PaymentLightningNodeConfig", func(*policies.Terms) {}}, // as it is
	} {
		if err := set(o, step.set); err != nil {
			t.Fatalf("SETCONF %s: %v", step.set, err)
		}
		want := defaultTerms()
		step.want(&want)
		if k.terms != want {
			t.Errorf("after SETCONF %s:\n%v, want\n%v", step.set, k.terms, want)
		}
	}
	if err := set(o, "PaymentRateMsats=5 PaymentInvervalRounds=3"); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"PaymentRateMsats": "5", "PAYMENTINVERVALROUNDS": "3", "PaymentInterval": "60", "PaymentHandshakeFee": "0", "PaymentBandwidthQuota": "268435456",
		"PaymentBolt12Offer": "lno1example", "PaymentBip353": "", "PaymentBolt11Lnurl": "", "PaymentBolt11LightningAddress": "",
		"PaymentCircuitMaxFee": "", "PaymentLightningNodeConfig": "",
	} {
		if got := get(t, o, key); got != want {
			t.Errorf("GETCONF %s: %q, want %q", key, got, want)
		}
	}
}

func TestOptionsRefuse(t *testing.T) {
	relay := func() *control.Options { return &control.Options{Relay: &termsKeeper{terms: defaultTerms()}} }
	client := func() *control.Options { return &control.Options{Client: &config.Client{MaxCircuitMsat: 77}} }
	away := &control.Options{Relay: &termsKeeper{terms: defaultTerms(), away: errors.New("the node is away")}}
	broken := &control.Options{Relay: &termsKeeper{terms: defaultTerms(), fails: errors.New("tor is away")}}
	for _, test := range []struct {
		o         *control.Options
		set, want string
		code      int
	}{
		{relay(), "PaymentIntervalRounds=3", "Unrecognized option: Unknown option 'PaymentIntervalRounds'", 552}, // rightly spelt, and so unknown to El Tor
		{relay(), "PaymentRateMsats=0", "topsratemsat:0 is outside", 513},
		{relay(), "PaymentRateMsats=-1", "topsratemsat:-1 is outside", 513},
		{relay(), "PaymentRateMsats=9223372036854775807", "is outside", 513},
		{relay(), "PaymentRateMsats=many", "PaymentRateMsats is a whole number", 513},
		{relay(), "PaymentRateMsats=600000000", "topsfinalmsat:1200000000 is outside", 513},
		{relay(), "PaymentInterval=0", "topsintervalsec:0 is outside", 513},
		{relay(), "PaymentInterval=9223372036854775807", "topsintervalsec:0 is outside", 513},
		{relay(), "PaymentInvervalRounds=121", "topsrounds:121 is outside", 513},
		{relay(), "PaymentInvervalRounds=-9223372036854775808", "topsrounds:0 is outside", 513},
		{relay(), "PaymentBolt12Offer=lno1other", "PaymentBolt12Offer cannot be set while tops runs: it comes from", 553},
		{relay(), "PaymentRateMsats=5 PaymentBip353=a@b.c", "PaymentBip353 cannot be set", 553},
		{relay(), "PaymentLightningNodeConfig=type=lnd,password=x", "its secrets are never told", 553},
		{client(), "PaymentCircuitMaxFee=1", "use client.max_circuit_msat in tops.toml", 553},
		{client(), "PaymentRateMsats=1", "PaymentRateMsats is a relay's", 553},
		{away, "PaymentRateMsats=1", "The terms cannot be changed now: the node is away", 551},
		{broken, "PaymentRateMsats=1", "The terms could not be changed: tor is away", 551},
	} {
		err := set(test.o, test.set)
		var no *controlspec.ReplyError
		if !errors.As(err, &no) || no.Code != test.code || !strings.Contains(no.Text, test.want) {
			t.Errorf("SETCONF %s: %v, want %d … %s", test.set, err, test.code, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "password") {
			t.Errorf("the error repeats a secret: %v", err)
		}
		if test.o.Relay != nil && test.o.Relay.Terms() != defaultTerms() {
			t.Errorf("SETCONF %s changed the terms all the same", test.set)
		}
	}
	if got := get(t, client(), "PaymentCircuitMaxFee"); got != "77" {
		t.Errorf("PaymentCircuitMaxFee = %q", got)
	}
	for _, same := range []string{"PaymentCircuitMaxFee=77", "PaymentCircuitMaxFee", "PaymentRateMsats"} {
		if err := set(client(), same); err != nil {
			t.Errorf("SETCONF %s, which changes nothing: %v", same, err)
		}
	}
}

// Of two controllers that change the terms at once, one is told to try again.
func TestOptionsAtOnce(t *testing.T) {
	k := &termsKeeper{terms: defaultTerms()}
	o := &control.Options{Relay: k}
	first, err := o.Prepare(t.Context(), proxy.Controller{}, changes("PaymentRateMsats=5"))
	if err != nil {
		t.Fatal(err)
	}
	if err := set(o, "PaymentRateMsats=6"); err != nil {
		t.Fatal(err)
	}
	if err := first(); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("the one that came too late: %v", err)
	}
	if k.terms.RateMsat != 6 {
		t.Errorf("the rate is %d, want 6", k.terms.RateMsat)
	}
}

// What a configuration says that was read again is the base of what is set later.
func TestOptionsReloaded(t *testing.T) {
	k := &termsKeeper{terms: defaultTerms()}
	o := &control.Options{Relay: k}
	if err := set(o, "PaymentInvervalRounds=4"); err != nil {
		t.Fatal(err)
	}
	late, err := o.Prepare(t.Context(), proxy.Controller{}, changes("PaymentRateMsats=5"))
	if err != nil {
		t.Fatal(err)
	}
	prices := config.Relay{RateMsat: 4000, FinalMsat: 9000, Interval: config.Duration(30 * time.Second), Grace: config.Duration(5 * time.Second),
		Rounds: 10, FreeRounds: 1, Prepay: 2, FreeBytes: 1, RoundBytes: 1 << 20}
	k.terms = prices.Terms(defaultTerms())
	o.Reloaded(&prices)
	if err := late(); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("what was prepared before: %v", err)
	}
	if err := set(o, "PaymentHandshakeFee=7"); err != nil {
		t.Fatal(err)
	}
	want := prices.Terms(defaultTerms())
	want.FeeMsat = 7
	if k.terms != want {
		t.Errorf("%v, want\n%v", k.terms, want)
	}
	if err := set(o, "PaymentHandshakeFee"); err != nil || k.terms != prices.Terms(defaultTerms()) {
		t.Errorf("the default: %v, %v", k.terms, err)
	}
}
