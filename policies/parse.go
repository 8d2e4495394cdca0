package policies

import (
	"fmt"
	"strings"
	"time"
)

// maxLine bounds a canonical line: an offer of 4 KiB and the rest.
const maxLine = 8 << 10

// ParseTerms reads terms in canonical form and checks their ranges. What it
// accepts, [Terms.String] writes back byte for byte.
func ParseTerms(line string) (Terms, error) {
	var t Terms
	if len(line) > maxLine {
		return t, fmt.Errorf("terms are longer than %d bytes", maxLine)
	}
	version, rest, _ := strings.Cut(line, " ")
	if version != "tops:1" {
		return t, fmt.Errorf("terms begin with %q, not tops:1", clip(version))
	}
	seen, err := t.read(strings.Split(rest, " "))
	if err != nil {
		return Terms{}, err
	}
	for _, w := range words {
		if !seen[w.name] && !isDescriptor(w.name) {
			return Terms{}, fmt.Errorf("terms lack %s", w.name)
		}
	}
	if t.String() != line {
		return Terms{}, fmt.Errorf("terms are not in canonical form: want %q", t.String())
	}
	if err := t.Validate(); err != nil {
		return Terms{}, err
	}
	return t, nil
}

// ErrNoTerms is what [ParseContact] returns for a ContactInfo without terms.
var ErrNoTerms = fmt.Errorf("no tops:1 in the contact line")

// ParseContact finds terms among the words of a relay's ContactInfo. Defaults
// may be left out, and so may topsrelay, since the relay signed the descriptor;
// a topsrelay that names another relay is an error. An unknown word that
// begins with tops means that the terms are not version 1.
func ParseContact(contact, relay string) (Terms, error) {
	var ours []string
	version := ""
	for _, w := range strings.Fields(contact) {
		switch name, value, ok := strings.Cut(w, ":"); {
		case !ok || !strings.HasPrefix(name, "tops"):
		case name == "tops":
			if version != "" {
				return Terms{}, fmt.Errorf("tops: twice in the contact line")
			}
			version = value
		default:
			ours = append(ours, w)
		}
	}
	if version == "" {
		return Terms{}, ErrNoTerms
	}
	if version != "1" {
		return Terms{}, fmt.Errorf("terms of version %q: only 1 is known", clip(version))
	}
	t := DefaultTerms("", Descriptor{}, Terms{}.Gateway)
	seen, err := t.read(ours)
	if err != nil {
		return Terms{}, err
	}
	if !seen["topsrelay"] {
		t.Relay = relay
	}
	if t.Relay != relay {
		return Terms{}, fmt.Errorf("terms name the relay %q, but %q signed them", t.Relay, relay)
	}
	if err := t.Validate(); err != nil {
		return Terms{}, err
	}
	return t, nil
}

// ContactWords writes the terms for a ContactInfo line: without defaults and
// without the fingerprint, which the descriptor's signature gives.
func (t Terms) ContactWords() string {
	def := DefaultTerms("", Descriptor{}, Terms{}.Gateway)
	out := "tops:1"
	for _, w := range words {
		v, ok := w.get(t)
		d, _ := w.get(def)
		if ok && w.name != "topsrelay" && v != d {
			out += " " + w.name + ":" + v
		}
	}
	return out
}

// read sets the fields that the words name, each at most once.
func (t *Terms) read(list []string) (seen map[string]bool, err error) {
	seen = make(map[string]bool, len(words))
	for _, item := range list {
		name, value, _ := strings.Cut(item, ":")
		w, ok := findWord(name)
		if !ok {
			return nil, fmt.Errorf("%q is no word of version 1", clip(name))
		}
		if seen[name] {
			return nil, fmt.Errorf("%s twice", name)
		}
		seen[name] = true
		if err := w.set(t, value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return seen, nil
}

func findWord(name string) (word, bool) {
	for _, w := range words {
		if w.name == name {
			return w, true
		}
	}
	return word{}, false
}

func isDescriptor(name string) bool {
	return name == string(Offer) || name == string(BIP353) || name == string(LightningAddress)
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// Validate checks every value against the range of version 1. Both ends refuse
// terms outside.
func (t Terms) Validate() error {
	if err := checkFingerprint(t.Relay); err != nil {
		return fmt.Errorf("topsrelay: %w", err)
	}
	if err := checkDescriptor(t.Descriptor); err != nil {
		return err
	}
	if !t.Gateway.Addr().Is4() || t.Gateway.Port() == 0 {
		return fmt.Errorf("topsgateway: %q is not <ipv4>:<port>", t.Gateway)
	}
	const maxMsat = 1_000_000_000
	for _, r := range []struct {
		name      string
		v, lo, hi int64
	}{
		{"topsrounds", int64(t.Rounds), 2, 120},
		{"topsfreerounds", int64(t.FreeRounds), 0, int64(t.Rounds) - 1},
		{"topsintervalsec", int64(t.Interval / time.Second), 1, 3600},
		{"topsgracesec", int64(t.Grace / time.Second), 1, int64(t.Interval / time.Second)},
		{"topsratemsat", t.RateMsat, 1, maxMsat},
		{"topsfinalmsat", t.FinalMsat, 1, maxMsat},
		{"topsfeemsat", t.FeeMsat, 0, maxMsat},
		{"topsprepay", int64(t.Prepay), 1, int64(t.Rounds)},
		{"topsfreebytes", t.FreeBytes, 0, 1 << 40},
		{"topsroundbytes", t.RoundBytes, 1 << 16, 1 << 40},
	} {
		if r.v < r.lo || r.v > r.hi {
			return fmt.Errorf("%s:%d is outside %d to %d", r.name, r.v, r.lo, r.hi)
		}
	}
	if t.Interval%time.Second != 0 || t.Grace%time.Second != 0 {
		return fmt.Errorf("interval %s and grace %s must be whole seconds", t.Interval, t.Grace)
	}
	return nil
}
