package proxy_test

import (
	"strings"
	"testing"

	"github.com/el-tor/tops/proxy"
)

func TestParseListener(t *testing.T) {
	defaults := proxy.Listener{ListenOptions: proxy.ListenOptions{Mode: 0o600, Group: "g"}}
	for s, want := range map[string]proxy.Listener{
		"unix:/run/x":                     {Addr: "unix:/run/x", ListenOptions: proxy.ListenOptions{Mode: 0o600, Group: "g"}},
		"unix:/run/x?mode=0660&group=tor": {Addr: "unix:/run/x", ListenOptions: proxy.ListenOptions{Mode: 0o660, Group: "tor"}},
		"[::1]:9061?auth=own":             {Addr: "[::1]:9061", Own: true, ListenOptions: proxy.ListenOptions{Mode: 0o600, Group: "g"}},
		"10.0.0.1:9?remote=true&auth=pass": {Addr: "10.0.0.1:9",
			ListenOptions: proxy.ListenOptions{Mode: 0o600, Group: "g", AllowRemote: true}},
	} {
		if got, err := proxy.ParseListener(s, defaults); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"unix:/x?mode=9":     "octal",
		"unix:/x?mode=0":     "octal",
		"unix:/x?mode=77777": "octal",
		"unix:/x?auth=none":  "own or pass",
		"unix:/x?remote=2":   "true or false",
		"unix:/x?moed=0660":  `no option "moed"`,
		"unix:/x?a=%zz":      "name=value",
		"nonsense":           "neither host:port nor unix:PATH",
		"10.0.0.1:9061":      "not on the loopback",
		":9061":              "not on the loopback",
	} {
		if _, err := proxy.ParseListener(s, defaults); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want … %s", s, err, want)
		}
	}
}

func FuzzParseListener(f *testing.F) {
	for _, s := range []string{"", "?", "unix:/x?mode=0660&group=&auth=own", "[::1]:1?remote=1&remote=0", "a?b=c;d", "%?%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		l, err := proxy.ParseListener(s, proxy.Listener{})
		if err == nil && (l.Mode > 0o777 || !strings.HasPrefix(s, l.Addr)) {
			t.Errorf("%q: %+v", s, l)
		}
	})
}
