package config_test

import (
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/config"
	"github.com/google/go-cmp/cmp"
)

func TestWriteChosen(t *testing.T) {
	set := []string{"lightning.rpc=/run/lightning-rpc", "relay.rate_msat=2000", "relay.interval=30s", "relay.from=203.0.113.9,203.0.113.10", "tor.control=127.0.0.1:9051"}
	l, err := config.New("[proxy]\nlisten = [\"127.0.0.1:9061\"]\n", []string{"relay"}, set)
	if err != nil {
		t.Fatal(err)
	}
	if l.Client != nil || l.Relay == nil {
		t.Fatal("want a relay alone")
	}
	var b strings.Builder
	if err := config.WriteChosen(&b, l.Config, "Written by a test."); err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse(b.String())
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	if diff := cmp.Diff(l.Config, again); diff != "" {
		t.Errorf("what was written is read otherwise (-want +got):\n%s", diff)
	}
	var keys []string
	for line := range strings.Lines(b.String()) {
		if key, _, ok := strings.Cut(line, " = "); ok && !strings.HasPrefix(line, "#") {
			keys = append(keys, key)
		}
	}
	if diff := cmp.Diff([]string{"control", "rpc", "listen", "from", "rate_msat", "interval"}, keys); diff != "" {
		t.Errorf("keys written (-want +got):\n%s\n%s", diff, b.String())
	}
}

func TestWriteChosenOfDefaults(t *testing.T) {
	l, err := config.New("", []string{"client"}, []string{"lightning.rpc=/x"})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := config.WriteChosen(&b, l.Config, "head"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "[client]") {
		t.Errorf("no role in\n%s", b.String())
	}
	if _, err := config.New("", []string{"relay"}, []string{"client.day_msat=1"}); err == nil {
		t.Error("a key of a role that is not there was taken")
	}
}
