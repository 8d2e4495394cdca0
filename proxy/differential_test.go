package proxy_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
	"github.com/google/go-cmp/cmp"
)

// mix is what the differential test says after AUTHENTICATE: commands of every
// kind of reply, good and bad. Nothing here is ours.
var mix = []string{
	"GETINFO version config-file", "getinfo  events/names   info/names", "GETINFO config-text config/names",
	"GETINFO circuit-status stream-status orconn-status entry-guards", "GETINFO nonsense version more",
	"GETCONF SocksPort Log DisableNetwork", "GETCONF nonsense", "GETCONF", "GETINFO", "",
	"SETEVENTS CIRC STREAM CONF_CHANGED SIGNAL", "SETCONF ContactInfo=\"a \\\"b\\\" c\"", "SETCONF nonsense=1",
	"RESETCONF ContactInfo", "SETEVENTS NONSENSE", "SETEVENTS extended circ", "SETEVENTS",
	"USEFEATURE VERBOSE_NAMES EXTENDED_EVENTS", "USEFEATURE nonsense", "PROTOCOLINFO", "PROTOCOLINFO 1",
	"MAPADDRESS 0.0.0.0=torproject.org", "MAPADDRESS nonsense", "EXTENDCIRCUIT 0 nonsense", "EXTENDCIRCUIT", "ATTACHSTREAM 1 1",
	"CLOSECIRCUIT 1", "CLOSESTREAM 1 1", "REDIRECTSTREAM 1 a", "SETCIRCUITPURPOSE 1 purpose=general", "RESOLVE", "SIGNAL NONSENSE",
	"ADD_ONION NEW:ED25519-V3 Flags=DiscardPK Port=80", "ADD_ONION nonsense", "DEL_ONION nonsense", "HSFETCH nonsense", "ONION_CLIENT_AUTH_VIEW",
	"+LOADCONF\r\nnonsense 1\r\n..\r\n.", "+POSTDESCRIPTOR\r\nnonsense\r\n.", "+HSPOST HSADDRESS=nonsense\nnonsense\n.", "+NONSENSE a\r\n" + paid + "\r\n.",
	"NONSENSE", "QUIT\x01", "qu\u0131t", " GETINFO version", "DROPGUARDS x", "TAKEOWNERSHIP", "DROPOWNERSHIP", "GETINFO " + strings.Repeat("x", 5000),
	"GETINFO config/defaults config/names config/names config/names",
}

// masks are what differs from one connection to the next on the same tor: the
// mark in a line, and what of such a line is masked.
var masks = map[string]*regexp.Regexp{
	"ServiceID=":      regexp.MustCompile(`=\S+`),
	"SERVERHASH=":     regexp.MustCompile(`=\S+`),
	"=torproject.org": regexp.MustCompile(`\S+=`),
}

func mask(b []byte) string {
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		for mark, re := range masks {
			if strings.Contains(line, mark) {
				line = re.ReplaceAllString(line, "#")
			}
		}
		out.WriteString(line)
	}
	return out.String()
}

// The same commands, said directly and through the proxy with every feature on,
// give the same bytes; one at a time, and all in one write.
func TestDifferential(t *testing.T) {
	hash, err := exec.Command("tor", "--hash-password", "pass word", "--quiet").Output()
	if err != nil {
		t.Fatal(err)
	}
	open := startTor(t)
	locked := startTor(t, "CookieAuthentication 1", "HashedControlPassword "+string(bytes.TrimSpace(hash)))
	cookie := waitFile(t, locked.cookie)
	var nonce [32]byte
	rand.Read(nonce[:])
	methods := []struct {
		name string
		tor  realTor
		auth func(c *controller) []byte // what tor said
	}{
		{"null", open, func(c *controller) []byte { return c.reply("AUTHENTICATE") }},
		{"password", locked, func(c *controller) []byte { return c.reply(`AUTHENTICATE "pass word"`) }},
		{"cookie", locked, func(c *controller) []byte { return c.reply("AUTHENTICATE " + hex.EncodeToString(cookie)) }},
		{"safecookie", locked, func(c *controller) []byte {
			out := c.reply("AUTHCHALLENGE SAFECOOKIE " + hex.EncodeToString(nonce[:]))
			args, err := controlspec.ParseArgs(strings.TrimSpace(string(out[4:])))
			if err != nil || len(args) != 3 {
				c.t.Fatalf("challenge %q: %v", out, err)
			}
			server, err := hex.DecodeString(args[2].Value)
			if err != nil {
				c.t.Fatal(err)
			}
			m := hmac.New(sha256.New, []byte("Tor safe cookie authentication controller-to-server hash"))
			fmt.Fprintf(m, "%s%s%s", cookie, nonce[:], server)
			return append(out, c.reply("AUTHENTICATE "+hex.EncodeToString(m.Sum(nil)))...)
		}},
		{"wrong password", locked, func(c *controller) []byte { return c.reply(`AUTHENTICATE "x"`) }},
		{"no authentication", locked, func(c *controller) []byte { return c.reply("GETINFO version") }},
	}
	for _, m := range methods {
		t.Run(m.name, func(t *testing.T) {
			guarded := with(m.tor.unix, newEngine())
			guarded.Access = mirror{}
			proxies := map[string]string{"plain": serve(t, with(m.tor.unix, newEngine())), "guarded": serve(t, guarded)}
			run := func(path string, all bool) string {
				c := dial(t, path)
				got := append(c.reply("PROTOCOLINFO 1"), m.auth(c)...)
				if !bytes.HasSuffix(got, []byte("250 OK\r\n")) {
					return mask(append(got, c.rest()...))
				}
				if all {
					c.send(strings.Join(mix, "\r\n") + "\r\nQUIT\r\n")
					return mask(append(got, c.rest()...))
				}
				for _, cmd := range mix {
					got = append(got, c.reply(cmd)...)
				}
				c.send("QUIT\r\n")
				return mask(append(got, c.rest()...))
			}
			for _, all := range []bool{false, true} {
				for name, proxied := range proxies {
					// Where replies are rewritten tor gets one command at a time, and says
					// what happened meanwhile.
					if d := cmp.Diff(run(m.tor.unix, all && name == "plain"), run(proxied, all)); d != "" {
						t.Errorf("%s, pipelined %v: %s", name, all, d)
					}
				}
			}
		})
	}
}

// mirror is a Guard that has every command, reply and event in its hands and
// changes none.
type mirror struct{}

func (mirror) Admit(proxy.Controller) (proxy.Guard, error) { return mirror{}, nil }
func (mirror) Profile() string                             { return "mirror" }
func (mirror) Trusted() bool                               { return false }
func (mirror) Pays() bool                                  { return false }
func (mirror) Built(string)                                {}
func (mirror) Hears(string) bool                           { return true }
func (mirror) FiltersEvents() bool                         { return true }
func (mirror) Event(l controlspec.Line) []byte             { return bytes.Clone(l.Raw) }

func (m mirror) Command(raw []byte, _ func(string) (controlspec.Reply, error)) ([]byte, func(controlspec.Line) []byte, error) {
	return bytes.Clone(raw), m.Event, nil
}

// reply sends one command and reads to the end of its reply, events included.
func (c *controller) reply(cmd string) []byte {
	c.t.Helper()
	c.send(cmd + "\r\n")
	var (
		s   controlspec.Scanner
		got []byte
	)
	for {
		raw, err := c.r.ReadBytes('\n')
		got = append(got, raw...)
		if err != nil {
			c.t.Fatalf("%.60q: %q, then %v", cmd, got, err)
		}
		if l := s.Next(raw); l.End && !l.Async {
			return got
		}
	}
}

func (c *controller) rest() []byte {
	c.t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(c.r); err != nil {
		c.t.Fatal(err)
	}
	return b.Bytes()
}
