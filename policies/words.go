package policies

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A word is one `name:value` of terms: how it is written and read. The order of
// the table is the canonical order.
type word struct {
	name string
	get  func(Terms) (string, bool)
	set  func(*Terms, string) error
}

var words = []word{
	{"topsrelay",
		func(t Terms) (string, bool) { return t.Relay, true },
		func(t *Terms, v string) error { t.Relay = v; return checkFingerprint(v) }},
	descriptor(Offer),
	descriptor(BIP353),
	descriptor(LightningAddress),
	number("topsratemsat", func(t *Terms) *int64 { return &t.RateMsat }),
	seconds("topsintervalsec", func(t *Terms) *time.Duration { return &t.Interval }),
	count("topsrounds", func(t *Terms) *int { return &t.Rounds }),
	count("topsfreerounds", func(t *Terms) *int { return &t.FreeRounds }),
	number("topsfreebytes", func(t *Terms) *int64 { return &t.FreeBytes }),
	number("topsroundbytes", func(t *Terms) *int64 { return &t.RoundBytes }),
	number("topsfinalmsat", func(t *Terms) *int64 { return &t.FinalMsat }),
	number("topsfeemsat", func(t *Terms) *int64 { return &t.FeeMsat }),
	seconds("topsgracesec", func(t *Terms) *time.Duration { return &t.Grace }),
	count("topsprepay", func(t *Terms) *int { return &t.Prepay }),
	{"topsgateway",
		func(t Terms) (string, bool) { return t.Gateway.String(), true },
		setGateway},
}

func descriptor(kind Kind) word {
	return word{string(kind),
		func(t Terms) (string, bool) { return t.Descriptor.Value, t.Descriptor.Kind == kind },
		func(t *Terms, v string) error {
			if t.Descriptor.Kind != "" {
				return fmt.Errorf("%s and %s in one set of terms: keep one descriptor", t.Descriptor.Kind, kind)
			}
			t.Descriptor = Descriptor{kind, v}
			return checkDescriptor(t.Descriptor)
		}}
}

func number(name string, field func(*Terms) *int64) word {
	return word{name,
		func(t Terms) (string, bool) { return strconv.FormatInt(*field(&t), 10), true },
		func(t *Terms, v string) (err error) { *field(t), err = decimal(v); return err }}
}

func count(name string, field func(*Terms) *int) word {
	return word{name,
		func(t Terms) (string, bool) { return strconv.Itoa(*field(&t)), true },
		func(t *Terms, v string) error {
			n, err := decimal(v)
			*field(t) = int(n)
			return err
		}}
}

func seconds(name string, field func(*Terms) *time.Duration) word {
	return word{name,
		func(t Terms) (string, bool) { return strconv.FormatInt(int64(*field(&t)/time.Second), 10), true },
		func(t *Terms, v string) error {
			n, err := decimal(v)
			if err == nil && n > 1<<32 {
				err = fmt.Errorf("%q seconds are too many", v)
			}
			*field(t) = time.Duration(n) * time.Second
			return err
		}}
}

// maxDecimal bounds every number of the terms; the ranges proper are narrower.
const maxDecimal = 1 << 48

// decimal reads a decimal number without sign or leading zeros: a number has
// one spelling, or the hash of the line would depend on the writer.
func decimal(s string) (int64, error) {
	if s == "" || len(s) > 1 && s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a decimal number without leading zeros", s)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n > maxDecimal {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return n, nil
}

func checkFingerprint(s string) error {
	if len(s) != 40 || strings.Trim(s, "0123456789ABCDEF") != "" {
		return fmt.Errorf("%q is not a relay fingerprint: 40 upper-case hex digits", s)
	}
	return nil
}

func checkDescriptor(d Descriptor) error {
	switch d.Kind {
	case Offer:
		if !strings.HasPrefix(d.Value, "lno1") || len(d.Value) > 4096 ||
			strings.Trim(d.Value, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
			return fmt.Errorf("%q is not a BOLT12 offer in lower case without +", d.Value)
		}
	case BIP353, LightningAddress:
		user, domain, ok := strings.Cut(d.Value, "@")
		if !ok || user == "" || domain == "" || len(d.Value) > 256 ||
			strings.Trim(user+domain, "0123456789abcdefghijklmnopqrstuvwxyz.-_+") != "" {
			return fmt.Errorf("%q is not user@domain in lower case", d.Value)
		}
	default:
		return fmt.Errorf("no descriptor: one of topsoffer, topsbip353 or topsaddress is needed")
	}
	return nil
}

func setGateway(t *Terms, v string) error {
	ap, err := netip.ParseAddrPort(v)
	if err != nil || !ap.Addr().Is4() || ap.Port() == 0 || ap.String() != v {
		return fmt.Errorf("%q is not <ipv4>:<port>", v)
	}
	t.Gateway = ap
	return nil
}
