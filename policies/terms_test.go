package policies_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/policies"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

const vectorRelay = "0123456789ABCDEF0123456789ABCDEF01234567"

const vectorLine = "tops:1 topsrelay:0123456789ABCDEF0123456789ABCDEF01234567 topsoffer:lno1example topsratemsat:1000 " +
	"topsintervalsec:60 topsrounds:10 topsfreerounds:1 topsfreebytes:1048576 topsroundbytes:268435456 topsfinalmsat:2000 " +
	"topsfeemsat:0 topsgracesec:15 topsprepay:10 topsgateway:203.0.113.9:9402"

func vectorTerms() policies.Terms {
	return policies.DefaultTerms(vectorRelay, policies.Descriptor{Kind: policies.Offer, Value: "lno1example"},
		netip.MustParseAddrPort("203.0.113.9:9402"))
}

var compareTerms = cmpopts.EquateComparable(netip.AddrPort{})

func TestVector(t *testing.T) {
	terms := vectorTerms()
	if got := terms.String(); got != vectorLine {
		t.Errorf("canonical line\n got %q\nwant %q", got, vectorLine)
	}
	const want = "b773ad6d5f5cee71bfcc5bb31c92078ec5e3737a4df7db96a411e4b9079975b9"
	if got := terms.Hash().String(); got != want {
		t.Errorf("terms_hash = %s, want %s", got, want)
	}
	got, err := policies.ParseTerms(vectorLine)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(terms, got, compareTerms); diff != "" {
		t.Errorf("parsed terms differ (-want +got):\n%s", diff)
	}
}

func TestParseTermsRefuses(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(vectorLine, old) {
			t.Fatalf("the vector has no %q", old)
		}
		return strings.Replace(vectorLine, old, new, 1)
	}
	for name, tc := range map[string]struct{ line, want string }{
		"empty":              {"", "tops:1"},
		"version":            {replace("tops:1", "tops:2"), "tops:1"},
		"newline":            {vectorLine + "\n", "not <ipv4>"},
		"double space":       {replace(" topsrounds", "  topsrounds"), "no word"},
		"order":              {replace("topsrounds:10 topsfreerounds:1", "topsfreerounds:1 topsrounds:10"), "canonical"},
		"unknown word":       {vectorLine + " topsnew:1", "no word of version 1"},
		"twice":              {vectorLine + " topsrounds:10", "twice"},
		"missing":            {replace(" topsgracesec:15", ""), "lack topsgracesec"},
		"no descriptor":      {replace(" topsoffer:lno1example", ""), "descriptor"},
		"two descriptors":    {replace("lno1example", "lno1example topsaddress:a@b.c"), "one descriptor"},
		"upper-case offer":   {replace("lno1example", "LNO1EXAMPLE"), "lower case"},
		"offer with +":       {replace("lno1example", "lno1exa+mple"), "lower case"},
		"lower fingerprint":  {replace("ABCDEF", "abcdef"), "fingerprint"},
		"leading zero":       {replace("topsrounds:10", "topsrounds:010"), "leading zeros"},
		"sign":               {replace("topsratemsat:1000", "topsratemsat:+1000"), "decimal"},
		"huge":               {replace("topsratemsat:1000", "topsratemsat:99999999999999999999"), "too large"},
		"rounds 1":           {replace("topsrounds:10", "topsrounds:1"), "outside"},
		"rounds 121":         {replace("topsrounds:10", "topsrounds:121"), "outside"},
		"free = rounds":      {replace("topsfreerounds:1", "topsfreerounds:10"), "outside"},
		"interval 0":         {replace("topsintervalsec:60", "topsintervalsec:0"), "outside"},
		"interval 3601":      {replace("topsintervalsec:60", "topsintervalsec:3601"), "outside"},
		"grace > interval":   {replace("topsgracesec:15", "topsgracesec:61"), "outside"},
		"grace 0":            {replace("topsgracesec:15", "topsgracesec:0"), "outside"},
		"rate 0":             {replace("topsratemsat:1000", "topsratemsat:0"), "outside"},
		"final too dear":     {replace("topsfinalmsat:2000", "topsfinalmsat:1000000001"), "outside"},
		"fee too dear":       {replace("topsfeemsat:0", "topsfeemsat:1000000001"), "outside"},
		"prepay 0":           {replace("topsprepay:10", "topsprepay:0"), "outside"},
		"prepay 11":          {replace("topsprepay:10", "topsprepay:11"), "outside"},
		"round bytes":        {replace("topsroundbytes:268435456", "topsroundbytes:65535"), "outside"},
		"free bytes":         {replace("topsfreebytes:1048576", "topsfreebytes:1099511627777"), "outside"},
		"gateway IPv6":       {replace("203.0.113.9:9402", "[2001:db8::1]:9402"), "ipv4"},
		"gateway port":       {replace("203.0.113.9:9402", "203.0.113.9:0"), "ipv4"},
		"gateway name":       {replace("203.0.113.9:9402", "relay.example:9402"), "ipv4"},
		"longer than 8 KiB":  {vectorLine + strings.Repeat(" x", 8<<10), "longer"},
		"seconds overflow":   {replace("topsintervalsec:60", "topsintervalsec:18446744073"), "too many"},
		"gateway port zeros": {replace("203.0.113.9:9402", "203.0.113.9:09402"), "ipv4"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policies.ParseTerms(tc.line)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("ParseTerms(%q) = %v, want an error with %q", tc.line, err, tc.want)
			}
		})
	}
}

func TestParseContact(t *testing.T) {
	short := vectorTerms().ContactWords()
	if want := "tops:1 topsoffer:lno1example topsgateway:203.0.113.9:9402"; short != want {
		t.Errorf("ContactWords = %q, want %q", short, want)
	}
	got, err := policies.ParseContact("email:op[]example.org url:https://example.org "+short+" ciissversion:2", vectorRelay)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(vectorTerms(), got, compareTerms); diff != "" {
		t.Errorf("terms differ (-want +got):\n%s", diff)
	}

	if _, err := policies.ParseContact("email:op[]example.org", vectorRelay); err != policies.ErrNoTerms {
		t.Errorf("a contact without terms: %v, want ErrNoTerms", err)
	}
	for name, tc := range map[string]struct{ contact, want string }{
		"unknown word":  {short + " topsnew:1", "no word"},
		"version 2":     {strings.Replace(short, "tops:1", "tops:2", 1), "version"},
		"tops twice":    {short + " tops:1", "twice"},
		"another relay": {short + " topsrelay:" + strings.Repeat("A", 40), "signed"},
		"no gateway":    {"tops:1 topsoffer:lno1example", "topsgateway"},
	} {
		if _, err := policies.ParseContact(tc.contact, vectorRelay); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tc.want)
		}
	}
}

func anyTerms(t *rapid.T) policies.Terms {
	terms := vectorTerms()
	terms.Rounds = rapid.IntRange(2, 120).Draw(t, "rounds")
	terms.FreeRounds = rapid.IntRange(0, terms.Rounds-1).Draw(t, "free rounds")
	terms.Interval = time.Duration(rapid.IntRange(1, 3600).Draw(t, "interval")) * time.Second
	terms.Grace = time.Duration(rapid.IntRange(1, int(terms.Interval/time.Second)).Draw(t, "grace")) * time.Second
	terms.RateMsat = rapid.Int64Range(1, 1e9).Draw(t, "rate")
	terms.FinalMsat = rapid.Int64Range(1, 1e9).Draw(t, "final")
	terms.FeeMsat = rapid.Int64Range(0, 1e9).Draw(t, "fee")
	terms.Prepay = rapid.IntRange(1, terms.Rounds).Draw(t, "prepay")
	terms.FreeBytes = rapid.Int64Range(0, 1<<40).Draw(t, "free bytes")
	terms.RoundBytes = rapid.Int64Range(1<<16, 1<<40).Draw(t, "round bytes")
	return terms
}

func TestTermsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyTerms(t)
		got, err := policies.ParseTerms(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, compareTerms); diff != "" {
			t.Fatalf("canonical form differs (-want +got):\n%s", diff)
		}
		got, err = policies.ParseContact(want.ContactWords(), want.Relay)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, compareTerms); diff != "" {
			t.Fatalf("contact form differs (-want +got):\n%s", diff)
		}
	})
}

func FuzzParseTerms(f *testing.F) {
	f.Add(vectorLine)
	f.Add("tops:1 topsrelay:")
	f.Fuzz(func(t *testing.T, line string) {
		terms, err := policies.ParseTerms(line)
		if err == nil && terms.String() != line {
			t.Errorf("%q was accepted and written back as %q", line, terms.String())
		}
	})
}

func FuzzParseContact(f *testing.F) {
	f.Add("email:a[]b.c tops:1 topsoffer:lno1example topsgateway:203.0.113.9:9402")
	f.Fuzz(func(t *testing.T, contact string) {
		terms, err := policies.ParseContact(contact, vectorRelay)
		if err != nil {
			return
		}
		if again, err := policies.ParseTerms(terms.String()); err != nil || again != terms {
			t.Errorf("terms of %q have no canonical form: %v", contact, err)
		}
	})
}
