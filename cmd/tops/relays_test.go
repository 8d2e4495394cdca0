package main

import (
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/experience"
)

func TestPrintRelays(t *testing.T) {
	var out strings.Builder
	a, b, c := strings.Repeat("A", 40), strings.Repeat("B", 40), strings.Repeat("C", 40)
	err := printRelays(&out, []client.RelayStatus{
		{Relay: a, Nickname: "one", Terms: "tops:1 …", RateMsat: 1000, Interval: 60, TotalMsat: 10_000, HourMsat: 60_000,
			Flags: []string{"Fast", "Running"}, BandwidthKB: 2500, Share: 0.75, Weight: 0.25,
			Experience: experience.Score{Good: 3, Bad: 1, Bytes: 40_000, WaitedSeconds: 2, Answers: 2, AnswerSeconds: 0.5}},
		{Relay: b, Nickname: "two", Terms: "tops:1 dear", RateMsat: 9000, Interval: 1.5, HourMsat: 1, Share: 0, Unusable: "above the cap"},
		{Relay: c, Share: 0.25},
	}, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		a + "  one   60000      1000 msat per 1m0s  75.0%  2500  3.0 good, 1.0 bad, 20 kB/s, 250ms (×0.25)  Fast,Running\n",
		"9000 msat per 1.5s", "two is not used: above the cap\n", "tops:1 dear\n", "not known", "nothing yet", "on its word",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := printRelays(&out, nil, false); err != nil || !strings.Contains(out.String(), "no relay that asks to be paid") {
		t.Errorf("%v, %s", err, out.String())
	}
}
