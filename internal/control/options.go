package control

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/policies"
	"github.com/el-tor/tops/proxy"
)

// TermsSetter is a relay whose terms can be changed while it runs.
type TermsSetter interface {
	// ConfiguredTerms are those that it began with.
	ConfiguredTerms() policies.Terms

	// Terms are those in force.
	Terms() policies.Terms

	// PrepareTerms makes everything ready for other terms; commit puts them in force.
	PrepareTerms(ctx context.Context, t policies.Terms) (commit func(context.Context) error, err error)
}

// Options are the Payment options of El Tor, for controllers that know them, on a
// stock tor (tops-control-spec §3.5). What is set holds until this process ends or
// reads its configuration again, as tor's own options do without SAVECONF.
type Options struct {
	Relay  TermsSetter    // nil: this tops is no relay
	Client *config.Client // nil: it pays nobody

	mu       sync.Mutex
	set      map[string]int64 // by the option's name: what differs from the configuration
	changes  int              // how often set was replaced
	reloaded *config.Relay    // the configuration, if it was read again
}

// Reloaded is called when the terms in force are those of a configuration that was
// read again: what was set is forgotten, and the defaults are its own.
func (o *Options) Reloaded(relay *config.Relay) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set, o.reloaded, o.changes = nil, relay, o.changes+1
}

// option is one of El Tor's.
type option struct {
	name string

	// get is its value, empty if unset.
	get func(*Options) string

	// put lays a value into the terms; nil: it cannot be set while tops runs, and why
	// says what to do instead.
	put func(t *policies.Terms, v int64)
	why string
}

const ofNode = "it comes from the relay's own Lightning node"

// elTorOptions are the names as El Tor has them, misspelt ones included.
var elTorOptions = []option{
	{name: "PaymentBolt12Offer", get: descriptor(policies.Offer), why: ofNode},
	{name: "PaymentBip353", get: descriptor(policies.BIP353), why: ofNode},
	{name: "PaymentBolt11Lnurl", get: unset, why: "use relay.lightning_address in tops.toml"},
	{name: "PaymentBolt11LightningAddress", get: descriptor(policies.LightningAddress), why: "use relay.lightning_address in tops.toml"},
	{name: "PaymentRateMsats", get: number(func(t policies.Terms) int64 { return t.RateMsat }), put: putRate},
	{name: "PaymentHandshakeFee", get: number(func(t policies.Terms) int64 { return t.FeeMsat }),
		put: func(t *policies.Terms, v int64) { t.FeeMsat = v }},
	{name: "PaymentBandwidthQuota", get: number(func(t policies.Terms) int64 { return t.RoundBytes }),
		put: func(t *policies.Terms, v int64) { t.RoundBytes = v }},
	{name: "PaymentInterval", get: number(func(t policies.Terms) int64 { return int64(t.Interval / time.Second) }), put: putInterval},
	{name: "PaymentInvervalRounds", get: number(func(t policies.Terms) int64 { return int64(t.Rounds) }), put: putRounds},
	{name: "PaymentCircuitMaxFee", get: circuitMaxFee, why: "use client.max_circuit_msat in tops.toml"},
	{name: "PaymentLightningNodeConfig", get: unset, why: "the Lightning node is named in tops.toml, and its secrets are never told"},
}

func unset(*Options) string { return "" }

func descriptor(kind policies.Kind) func(*Options) string {
	return func(o *Options) string {
		if o.Relay == nil || o.Relay.Terms().Descriptor.Kind != kind {
			return ""
		}
		return o.Relay.Terms().Descriptor.Value
	}
}

func number(of func(policies.Terms) int64) func(*Options) string {
	return func(o *Options) string {
		if o.Relay == nil {
			return ""
		}
		return strconv.FormatInt(of(o.Relay.Terms()), 10)
	}
}

func circuitMaxFee(o *Options) string {
	if o.Client == nil {
		return ""
	}
	return strconv.FormatInt(o.Client.MaxCircuitMsat, 10)
}

// putRate keeps the proportion of the last round's price to the others': El Tor
// has no word for it.
func putRate(t *policies.Terms, v int64) {
	if v > 0 && v <= maxRateMsat && t.RateMsat > 0 {
		t.FinalMsat = max(1, t.FinalMsat*v/t.RateMsat)
	}
	t.RateMsat = v
}

// maxRateMsat is the most that terms may ask for a round.
const maxRateMsat = 1_000_000_000

// putInterval shortens a grace that would be longer than a round.
func putInterval(t *policies.Terms, v int64) {
	if v < 0 || v > int64(time.Hour/time.Second) {
		v = 0 // which no terms may have
	}
	t.Interval = time.Duration(v) * time.Second
	t.Grace = max(min(t.Grace, t.Interval), time.Second)
}

// putRounds lets nobody pay for more rounds at once than there are.
func putRounds(t *policies.Terms, v int64) {
	t.Rounds = int(min(max(v, 0), 1<<20))
	t.Prepay = max(1, min(t.Prepay, t.Rounds))
}

func optionNamed(key string) (option, bool) {
	for _, o := range elTorOptions {
		if strings.EqualFold(o.name, key) {
			return o, true
		}
	}
	return option{}, false
}

// Get implements [proxy.Conf].
func (o *Options) Get(_ context.Context, key string) (name string, values []string, ok bool) {
	opt, ok := optionNamed(key)
	if !ok {
		return "", nil, false
	}
	if v := opt.get(o); v != "" {
		values = []string{v}
	}
	return opt.name, values, true
}

// Prepare implements [proxy.Conf].
func (o *Options) Prepare(ctx context.Context, _ proxy.Controller, changes []controlspec.ConfChange) (commit func() error, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	set, changed, err := o.changed(changes)
	if err != nil || !changed {
		return func() error { return nil }, err
	}
	terms := o.Relay.ConfiguredTerms()
	if o.reloaded != nil {
		terms = o.reloaded.Terms(terms)
	}
	for _, opt := range elTorOptions { // in this order, whatever that of the commands was
		if v, ok := set[opt.name]; ok {
			opt.put(&terms, v)
		}
	}
	terms.Descriptor = o.Relay.Terms().Descriptor // with which these are not offered, but judged
	if err := terms.Validate(); err != nil {
		return nil, controlspec.Errorf(513, "Unacceptable option value: %s", oneLine(err))
	}
	force, err := o.Relay.PrepareTerms(ctx, terms)
	if err != nil {
		return nil, controlspec.Errorf(551, "The terms cannot be changed now: %s", oneLine(err))
	}
	seen := o.changes
	return func() error {
		o.mu.Lock()
		defer o.mu.Unlock()
		if seen != o.changes {
			return controlspec.Errorf(551, "The Payment options have just been changed by another, try again")
		}
		if err := force(ctx); err != nil {
			return controlspec.Errorf(551, "The terms could not be changed: %s", oneLine(err))
		}
		o.set, o.changes = set, o.changes+1
		return nil
	}, nil
}

// changed is what would be set then, if that is another thing than now.
func (o *Options) changed(changes []controlspec.ConfChange) (set map[string]int64, changed bool, err error) {
	set = make(map[string]int64)
	for k, v := range o.set {
		set[k] = v
	}
	for _, c := range changes {
		opt, ok := optionNamed(c.Key)
		reset := !c.Set || c.Value == ""
		switch {
		case !ok:
			return nil, false, controlspec.Errorf(552, "Unrecognized option: Unknown option '%s'.  Failing.", clip(c.Key))
		case opt.put == nil && (reset || c.Value == opt.get(o)):
			continue // as it is
		case opt.put == nil:
			return nil, false, controlspec.Errorf(553, "%s cannot be set while tops runs: %s", opt.name, opt.why)
		case o.Relay == nil && !reset:
			return nil, false, controlspec.Errorf(553, "%s is a relay's: this tops has no [relay] table in its configuration", opt.name)
		case o.Relay == nil:
			continue
		}
		changed = true
		if reset {
			delete(set, opt.name)
			continue
		}
		v, err := strconv.ParseInt(c.Value, 10, 64)
		if err != nil {
			return nil, false, controlspec.Errorf(513, "Unacceptable option value: %s is a whole number", opt.name)
		}
		set[opt.name] = v
	}
	return set, changed, nil
}

// clip shortens what a controller wrote for an answer.
func clip(s string) string {
	if len(s) > 48 {
		return s[:48] + "..."
	}
	return s
}
