package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/config"
)

// Each key has a twin that sets it, and no two keys share one.
func TestTwins(t *testing.T) {
	seen := map[string]bool{optionConfig: true, optionRole: true}
	for _, o := range twins() {
		if seen[o.name] {
			t.Errorf("two keys have the twin %s", o.name)
		}
		seen[o.name] = true
		value, want := sample(o)
		text, err := configure(map[string]any{optionRole: "client,relay", o.name: value}, "/d", "/s")
		if err != nil {
			t.Errorf("%s: %v", o.name, err)
			continue
		}
		if !strings.Contains(text, o.Name[strings.LastIndexByte(o.Name, '.')+1:]+" = "+want+"\n") {
			t.Errorf("%s=%s gives\n%s", o.name, value, text)
		}
	}
	for _, name := range []string{"tops-tor-control", "tops-listen", "tops-rate-msat", "tops-data-dir", "tops-lightning-allow-reveal",
		"tops-client-retention", "tops-relay-retention"} {
		if !seen[name] {
			t.Errorf("no option %s", name)
		}
	}
	if seen["tops-lightning-rpc"] {
		t.Error("the node could be another than the one that started us")
	}
}

func sample(o option) (value, toml string) {
	for kind, s := range map[string][2]string{
		"a list": {"a, b", `["a", "b"]`}, "true": {"true", "true"}, "text": {"x", `"x"`}, "a number": {"1.5", "1.5"},
		"a duration": {"90s", `"1m30s"`}, "a whole number": {"7", "7"},
	} {
		if strings.HasPrefix(o.Kind(), kind) {
			return s[0], s[1]
		}
	}
	return "", "no sample of " + o.Kind()
}

// An option wins over the file, a role that is not named goes, and the node is
// the one that started us.
func TestConfigure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tops.toml")
	err := os.WriteFile(file, []byte("data_dir = \"/books\"\n[lightning]\nrpc = \"/other\"\n[client]\n[relay]\nrate_msat = 1500\nrounds = 5\nprepay = 5\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	text, err := configure(map[string]any{optionConfig: file, optionRole: "relay", "tops-rate-msat": float64(2500)}, "/d", "/here/lightning-rpc")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if c.Client != nil || c.Relay == nil || c.Relay.RateMsat != 2500 || c.Relay.Rounds != 5 || c.DataDir != "/books" || c.Lightning.RPC != "/here/lightning-rpc" {
		t.Errorf("%+v %+v", c, c.Relay)
	}
	if text, _ = configure(nil, "/d", "/s"); !strings.Contains(text, `data_dir = "/d"`) {
		t.Errorf("without anything:\n%s", text)
	}
}
