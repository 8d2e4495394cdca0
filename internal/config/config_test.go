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
		"[lightning]\nrpc=\"x\"\n[client]\nmax_rund_msat = 1\n":           "max_rund_msat",
		"[lightning]\nrpc=\"x\"\n[client]\nrelays = [\"abc\"]\n":          "fingerprint",
		"[lightning]\nrpc=\"x\"\n[client]\nthrift = -1.0\n":               "client.thrift is -1",
		"[lightning]\nrpc=\"x\"\n[relay]\nask_fee = true\n":               "fee_msat is 0",
		"[lightning]\nrpc=\"x\"\n[relay]\ninterval = \"a minute\"\n":      "a minute",
		"[lightning]\nrpc=\"x\"\n[relay]\nretention = \"1h\"\n":           "relay.retention is 1h0m0s: use 24h",
		"[lightning]\nrpc=\"x\"\n[client]\nretention = \"-1h\"\n":         "client.retention",
		"[lightning]\nrpc=\"x\"\n[relay]\nresolver = [\"dns.example\"]\n": "not the address of a name server",
		"[lightning]\nrpc=\"x\"\n[relay]\nuplink_bytes = 100\n":           "use 16384",
		"[lightning]\nrpc=\"x\"\n[relay]\npaystream_rate = 0\n":           "paystream_rate",
		"[web]\nlisten = \"0.0.0.0:9180\"\n":                              "ssh -L",
		"[web]\nlisten = \"9180\"\n":                                      "host:port",
		"[tor\n":                                                          "table name",
	} {
		if _, err := config.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

func TestDays(t *testing.T) {
	c, err := config.Parse("[lightning]\nrpc = \"x\"\n[relay]\nretention = \"30d\"\nresolver = [\"9.9.9.9\", \"[2620:fe::fe]:5353\"]\n[client]\nretention = \"0s\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if time.Duration(c.Relay.Retention) != 30*24*time.Hour || c.Client.Retention != 0 {
		t.Errorf("retention %v, %v", time.Duration(c.Relay.Retention), time.Duration(c.Client.Retention))
	}
	servers, err := c.Relay.NameServers()
	if err != nil || len(servers) != 2 || servers[0].String() != "9.9.9.9:53" || servers[1].String() != "[2620:fe::fe]:5353" {
		t.Errorf("name servers %v, %v", servers, err)
	}
	for d, want := range map[time.Duration]string{90 * 24 * time.Hour: "90d", 24 * time.Hour: "24h", 36 * time.Hour: "36h", 10 * time.Minute: "10m"} {
		if text, err := config.Duration(d).MarshalText(); err != nil || string(text) != want {
			t.Errorf("%v is written %s, %v; want %s", d, text, err, want)
		}
	}
}
