package proxy_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/policies"
	"github.com/el-tor/tops/proxy"
)

// specified is the engine of the specification's examples.
type specified struct{ *engine }

func (specified) Info(_ context.Context, key string) (string, bool, error) {
	value, ok := map[string]string{"version": "1.0.0", "spent": "10000"}[key]
	return value, ok, nil
}

func (specified) CircuitTerms(string) []proxy.HopTerms {
	terms := policies.DefaultTerms("89ABCDEF0123456789ABCDEF0123456789ABCDEF",
		policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
	return []proxy.HopTerms{{Hop: 2, Terms: terms.String()}}
}

// What tops-control-spec.md shows by example is what happens.
func TestSpecifiedExamples(t *testing.T) {
	text, err := os.ReadFile("../controlspec/tops-control-spec.md")
	if err != nil {
		t.Fatal(err)
	}
	tor := startFakeTor(t, func(cmd controlspec.Command) string {
		switch cmd.Name + " " + cmd.Args {
		case "SETEVENTS NONSENSE":
			return "552 Unrecognized event \"NONSENSE\"\r\n"
		case "GETINFO version":
			return "250-version=0.4.9.11\r\n250 OK\r\n"
		case "GETCONF ContactInfo":
			return "250 ContactInfo=op\r\n"
		}
		return ok(cmd)
	})
	e := specified{newEngine()}
	c := dial(t, serve(t, &proxy.Server{Dial: proxy.Dialer("unix:" + tor.addr), Engine: e, Terms: e, Conf: e, Attach: e, Upgrade: e}))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	commands, replies, serial := 0, 0, 0
	payload := func(string) (all string) {
		for range 12 {
			serial++
			all += fmt.Sprintf("%064x", serial)
		}
		return all
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if said, ok := strings.CutPrefix(line, "    C: "); ok {
			commands++
			c.send(regexp.MustCompile(`<768 HEXDIG>`).ReplaceAllStringFunc(said, payload) + "\r\n")
		}
		want, ok := strings.CutPrefix(line, "    S: ")
		if !ok {
			continue
		}
		replies++
		event, _ := strings.CutPrefix(want, "650 ")
		switch name, _, _ := strings.Cut(event, " "); name {
		case "CIRC":
			tors, _, _ := strings.Cut(want, " PAYMENT_TERMS")
			tor.say(t, tors+"\r\n")
		case controlspec.EventPayStream:
			if ev, err := controlspec.ParsePayStream(event); err != nil || ev.Marshal() != event {
				t.Errorf("%q is %+v, %v", event, ev, err)
			}
			continue
		case controlspec.EventReceived:
			if ev, err := controlspec.ParseReceived(event); err != nil || ev.Marshal() != event {
				t.Errorf("%q is %+v, %v", event, ev, err)
			}
			continue
		}
		pattern := strings.ReplaceAll(regexp.QuoteMeta(want), "…", ".*")
		if got, err := c.r.ReadString('\n'); err != nil || !regexp.MustCompile("^"+pattern+"\r\n$").MatchString(got) {
			t.Fatalf("got %q, %v; want %q", got, err, want)
		}
	}
	if commands < 14 || replies < 17 {
		t.Errorf("%d lines of controllers and %d answers were found", commands, replies)
	}
}
