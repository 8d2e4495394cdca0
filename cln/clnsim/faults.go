package clnsim

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Faults is how a node misbehaves. The zero value is a good node: everything at once, nothing fails, no routing fee,
// and the real limit on onion messages. Rates are probabilities, 0 to 1. Faults may be changed while the node runs; what
// is under way goes by what was set when it began.
type Faults struct {
	// What the node's own callers notice.
	Latency    time.Duration // before each answer on the socket
	HangUpRate float64       // of calls: done, but the connection is cut instead of an answer

	// Of what the node sends.
	FetchDelay  time.Duration // an invoice request, there and back
	DropRate    float64       // of onion messages, silently: fetchinvoice then times out
	PayDelay    time.Duration // one attempt at a payment, there and back
	FailRate    float64       // of attempts that fail on the way; pay and xpay try again until retry_for
	StuckRate   float64       // of attempts whose HTLC gets stuck
	StuckFor    time.Duration // how long
	StuckFails  bool          // and then fails, instead of settling late
	Hops        int64         // forwarding nodes on the way; 0: the payee is a direct peer
	FeeBaseMsat int64         // what each of them asks
	FeePPM      int64
	Linger      time.Duration // a failed payment still reads pending for so long, as the real listpays may

	// Of what the node receives.
	Refuse         bool // payments, as an invoice_payment hook may: 203
	UnlimitedOnion bool // take any number of onion messages, not one per 250 ms and peer
}

// fault reads and writes one field of Faults by name, for the control socket.
type fault struct {
	name string
	get  func(f *Faults) string
	set  func(f *Faults, v string) error
}

var faults = []fault{
	duration("latency", func(f *Faults) *time.Duration { return &f.Latency }),
	chance("hanguprate", func(f *Faults) *float64 { return &f.HangUpRate }),
	duration("fetchdelay", func(f *Faults) *time.Duration { return &f.FetchDelay }),
	chance("droprate", func(f *Faults) *float64 { return &f.DropRate }),
	duration("paydelay", func(f *Faults) *time.Duration { return &f.PayDelay }),
	chance("failrate", func(f *Faults) *float64 { return &f.FailRate }),
	chance("stuckrate", func(f *Faults) *float64 { return &f.StuckRate }),
	duration("stuckfor", func(f *Faults) *time.Duration { return &f.StuckFor }),
	flag("stuckfails", func(f *Faults) *bool { return &f.StuckFails }),
	count("hops", func(f *Faults) *int64 { return &f.Hops }, 20),
	count("feebase", func(f *Faults) *int64 { return &f.FeeBaseMsat }, 1e12),
	count("feeppm", func(f *Faults) *int64 { return &f.FeePPM }, 1e6),
	duration("linger", func(f *Faults) *time.Duration { return &f.Linger }),
	flag("refuse", func(f *Faults) *bool { return &f.Refuse }),
	flag("unlimitedonion", func(f *Faults) *bool { return &f.UnlimitedOnion }),
}

// Set sets one fault by its name, in lower case, to a value in text: "paydelay" to "300ms", "failrate" to "0.3",
// "refuse" to "true".
func (f *Faults) Set(name, value string) error {
	i := slices.IndexFunc(faults, func(x fault) bool { return x.name == name })
	if i < 0 {
		return fmt.Errorf("no fault %q: one of %v", name, FaultNames())
	}
	if err := faults[i].set(f, value); err != nil {
		return fmt.Errorf("fault %s: %w", name, err)
	}
	return nil
}

// Map is the faults by name, in text.
func (f Faults) Map() map[string]string {
	m := make(map[string]string, len(faults))
	for _, x := range faults {
		m[x.name] = x.get(&f)
	}
	return m
}

// FaultNames lists what Set takes.
func FaultNames() []string {
	names := make([]string, len(faults))
	for i, x := range faults {
		names[i] = x.name
	}
	return names
}

// routingFee is what the forwarding nodes ask for a payment of amount.
func (f Faults) routingFee(amount int64) int64 {
	sent := amount
	for range f.Hops {
		sent += f.FeeBaseMsat + sent/1_000_000*f.FeePPM + sent%1_000_000*f.FeePPM/1_000_000
	}
	return sent - amount
}

func duration(name string, at func(*Faults) *time.Duration) fault {
	return fault{name, func(f *Faults) string { return at(f).String() }, func(f *Faults, v string) error {
		d, err := time.ParseDuration(v)
		if err != nil || d < 0 {
			return fmt.Errorf("%q is no duration such as 300ms", v)
		}
		*at(f) = d
		return nil
	}}
}

func chance(name string, at func(*Faults) *float64) fault {
	get := func(f *Faults) string { return strconv.FormatFloat(*at(f), 'g', -1, 64) }
	return fault{name, get, func(f *Faults, v string) error {
		r, err := strconv.ParseFloat(v, 64)
		if err != nil || !(r >= 0 && r <= 1) {
			return fmt.Errorf("%q is no rate from 0 to 1", v)
		}
		*at(f) = r
		return nil
	}}
}

func count(name string, at func(*Faults) *int64, most int64) fault {
	get := func(f *Faults) string { return strconv.FormatInt(*at(f), 10) }
	return fault{name, get, func(f *Faults, v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 0 || n > most {
			return fmt.Errorf("%q is no number from 0 to %d", v, most)
		}
		*at(f) = n
		return nil
	}}
}

func flag(name string, at func(*Faults) *bool) fault {
	return fault{name, func(f *Faults) string { return strconv.FormatBool(*at(f)) }, func(f *Faults, v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", v)
		}
		*at(f) = b
		return nil
	}}
}
