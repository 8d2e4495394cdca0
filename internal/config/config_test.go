package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/config"
)

func TestRolesFollowTables(t *testing.T) {
	c, err := config.Parse("data_dir = \"/tmp/x\"\n[lightning]\nrpc = \"/tmp/rpc\"\n[relay]\nrate_msat = 5000\ninterval = \"30s\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.Client != nil || c.Relay == nil {
		t.Fatalf("client %v, relay %v; want a relay alone", c.Client, c.Relay)
	}
	if c.Relay.RateMsat != 5000 || time.Duration(c.Relay.Interval) != 30*time.Second || c.Relay.Rounds != 10 {
		t.Errorf("relay %+v: want what was written, and defaults for the rest", c.Relay)
	}
}

func TestBadConfigurations(t *testing.T) {
	for text, want := range map[string]string{
		"[client]\n": "lightning.rpc is missing",
		"[lightning]\nrpc=\"x\"\n[client]\nmax_rund_msat = 1\n":      "max_rund_msat",
		"[lightning]\nrpc=\"x\"\n[client]\nrelays = [\"abc\"]\n":     "fingerprint",
		"[lightning]\nrpc=\"x\"\n[relay]\nask_fee = true\n":          "fee_msat is 0",
		"[lightning]\nrpc=\"x\"\n[relay]\ninterval = \"a minute\"\n": "a minute",
		"[tor\n": "table name",
	} {
		if _, err := config.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}
