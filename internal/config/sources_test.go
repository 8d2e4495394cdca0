package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/config"
)

const both = `data_dir = "/books"
[lightning]
rpc = "/rpc"
[client]
day_msat = 1
hour_msat = 1
relays = [
  "0123456789ABCDEF0123456789ABCDEF01234567",
]
[relay]
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tops.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatWins(t *testing.T) {
	path := write(t, both)
	l, err := config.Sources{
		File:    path,
		Environ: []string{"HOME=/root", "TOPS_CONFIG=elsewhere", "TOPS_CLN_DATA=/tests", "TOPS_CLIENT_HOUR_MSAT=2", "TOPS_CLIENT_DAY_MSAT=2", "TOPS_RELAY_GRACE=10s"},
		Set:     []string{"client.day_msat=3", "proxy.listen=127.0.0.1:1, unix:/x", "client.continue=false", "client.max_fee_percent=0.5", "relay.port=1", "data_dir=/a=b"},
	}.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range config.Keys() {
		want, ok := map[string][2]string{
			"client.day_msat":        {"3", "flag --set"},
			"client.hour_msat":       {"2", "environment TOPS_CLIENT_HOUR_MSAT"},
			"client.relays":          {`["0123456789ABCDEF0123456789ABCDEF01234567"]`, "file " + path + ":7"},
			"client.continue":        {"false", "flag --set"},
			"client.max_fee_percent": {"0.5", "flag --set"},
			"client.max_round_msat":  {"5000", ""},
			"relay.grace":            {`"10s"`, "environment TOPS_RELAY_GRACE"},
			"relay.port":             {"1", "flag --set"},
			"proxy.listen":           {`["127.0.0.1:1", "unix:/x"]`, "flag --set"},
			"data_dir":               {`"/a=b"`, "flag --set"},
			"lightning.rpc":          {`"/rpc"`, "file " + path + ":3"},
		}[k.Name]
		value, there := k.Value(l.Config)
		if got := config.TOML(value); ok && (!there || got != want[0] || l.Origins[k.Name].String() != want[1]) {
			t.Errorf("%s is %s, from %q; want %s, from %q", k.Name, got, l.Origins[k.Name], want[0], want[1])
		}
	}
}

// Every key can be set by flag and by environment, to what its default is.
func TestEveryKeyCanBeSet(t *testing.T) {
	path := write(t, "[lightning]\nrpc = \"/rpc\"\n[client]\n[relay]\n")
	var set, environ []string
	for _, k := range config.Keys() {
		text := strings.Trim(config.TOML(k.Default()), `"[]`)
		if k.Name == "lightning.rpc" {
			text = "/rpc"
		}
		set, environ = append(set, k.Name+"="+text), append(environ, k.Env()+"="+text)
	}
	for _, s := range []config.Sources{{File: path, Set: set}, {File: path, Environ: environ}} {
		l, err := s.Load()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range config.Keys() {
			got, _ := k.Value(l.Config)
			if k.Name != "lightning.rpc" && config.TOML(got) != config.TOML(k.Default()) {
				t.Errorf("%s is %v after it was set to the default, %v", k.Name, got, k.Default())
			}
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for _, c := range []struct {
		file, environ, set string
		want               []string
	}{
		{file: "[client]\nmax_rund_msat = 1\n\n[relay]\nrate = 2\n[lightnign]\nrpc = \"x\"\n", want: []string{
			`line 2: unknown key "client.max_rund_msat": did you mean "client.max_round_msat"?`,
			`line 5: unknown key "relay.rate"`, `line 7: unknown key "lightnign.rpc": did you mean "lightning.rpc"?`}},
		{file: "rate_msat = 1\n", want: []string{`line 1: unknown key "rate_msat": did you mean "relay.rate_msat"?`}},
		{file: "tor.contrl = \"x\"\n", want: []string{`line 1: unknown key "tor.contrl": did you mean "tor.control"?`}},
		{file: both, set: "client.day_msta=1", want: []string{`--set: unknown key "client.day_msta": did you mean "client.day_msat"?`}},
		{file: both, set: "client.day_msat", want: []string{"want KEY=VALUE"}},
		{file: both, set: "client.day_msat=a lot", want: []string{`flag --set: client.day_msat: "a lot" is not a whole number`}},
		{file: both, set: "relay.port=70000", want: []string{`"70000" is not a whole number`}},
		{file: both, set: "relay.interval=60", want: []string{`"60" is not a duration such as 60s`}},
		{file: both, environ: "TOPS_CLIENT_DAY=1", want: []string{`environment: unknown key "TOPS_CLIENT_DAY"`}},
		{file: both, environ: "TOPS_DATA_DRI=1", want: []string{`did you mean "TOPS_DATA_DIR"?`}},
		{file: both, environ: "TOPS_RELAY_PORT=tcp://10.0.0.1:1", want: []string{`environment TOPS_RELAY_PORT: relay.port: "tcp://10.0.0.1:1" is not a whole number`}},
		{file: "", set: "client.day_msat=1", want: []string{"there is no table [client]"}},
		{file: "[lightning]\nrpc=\"x\"\n[client]\nguards=[\"a\"]\nrelays=[\"b\"]\n[relay]\nask_fee=true\n", want: []string{
			`"a" is not a relay fingerprint`, `"b" is not a relay fingerprint`, "fee_msat is 0"}},
	} {
		s := config.Sources{File: write(t, c.file)}
		if c.environ != "" {
			s.Environ = []string{c.environ}
		}
		if c.set != "" {
			s.Set = []string{c.set}
		}
		_, err := s.Load()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v:\n%v\nwant an error with %q", c, err, want)
			}
		}
	}
}

func TestMaskURL(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"postgres://tops@db/tops":        "postgres://tops@db/tops",
		"postgres://tops:hunter2@db/t":   "postgres://tops:xxxxx@db/t",
		"postgres://db/t?password=x&a=b": "postgres://db/t?a=b&password=xxxxx",
		"postgres://db/t?sslpassword=x":  "postgres://db/t?sslpassword=xxxxx",
		"host=db password=hunter2":       "xxxxx",
		"postgres://a:%zz@db":            "xxxxx",
		"postgres:a:hunter2@db":          "xxxxx",
		"sqlite":                         "sqlite",
	} {
		if got := config.MaskURL(in); got != want {
			t.Errorf("MaskURL(%q) = %q, want %q", in, got, want)
		}
	}
}
