package proxy_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/policies/access"
	shippedprofiles "github.com/el-tor/tops/policies/access/profiles"
	"github.com/el-tor/tops/proxy"
)

// dialogues are what programs say that are no packages of Debian's, word for word,
// and how they take it: Core Lightning v26.06 (autotor and statictor), Bitcoin Core
// 30 (-torcontrol), lnd (tor.active). Each gets its onion service.
var dialogues = []struct {
	name, profile string
	talk          func(c *controller, cookie []byte) (onion string)
}{
	{"autotor", "core-lightning", func(c *controller, cookie []byte) string {
		lightningIn(c, cookie)
		version := c.lightning("PROTOCOLINFO 1")
		if !strings.Contains(version, "VERSION Tor=\"0.4.") {
			c.t.Fatalf("no version in %q", version)
		}
		return serviceOf(c, c.lightning("ADD_ONION NEW:ED25519-V3 Port=9735,127.0.0.1:9735 Flags=DiscardPK,Detach"))
	}},
	{"statictor", "core-lightning", func(c *controller, cookie []byte) string {
		lightningIn(c, cookie)
		return serviceOf(c, c.lightning("ADD_ONION ED25519-V3:"+onionKey()+" Port=9735,127.0.0.1:9735 Flags=DiscardPK"))
	}},
	{"torcontrol", "bitcoind", func(c *controller, cookie []byte) string {
		safeCookieIn(c, cookie)
		c.bitcoind(250, "GETINFO net/listeners/socks")
		said := c.bitcoind(250, "ADD_ONION NEW:ED25519-V3 PoWDefensesEnabled=1 Port=8333,127.0.0.1:8334")
		return serviceOf(c, said)
	}},
	{"lnd", "lnd", func(c *controller, cookie []byte) string {
		safeCookieIn(c, cookie)
		onion := serviceOf(c, c.bitcoind(250, "ADD_ONION NEW:ED25519-V3 Port=9735,9735 "))
		if got := c.bitcoind(250, "GETINFO onions/current"); !strings.Contains(got, onion) {
			c.t.Errorf("the health check sees %q", got)
		}
		c.bitcoind(250, "DEL_ONION "+onion)
		return onion
	}},
}

// lightning says a line in Core Lightning's manner, to whom any line that is not a
// 250 is fatal.
func (c *controller) lightning(cmd string) string {
	c.t.Helper()
	got := string(c.reply(cmd))
	for line := range strings.Lines(got) {
		if !strings.HasPrefix(line, "250") {
			c.t.Fatalf("%.20q: %q is fatal", cmd, line)
		}
	}
	return got
}

// bitcoind says a line in Bitcoin Core's manner, which goes by the last line's code.
func (c *controller) bitcoind(code int, cmd string) string {
	c.t.Helper()
	got := c.reply(cmd)
	rep, err := controlspec.ParseReply(got)
	if err != nil || rep.Code() != code {
		c.t.Fatalf("%.20q: %q, %v", cmd, got, err)
	}
	return string(got)
}

// lightningIn authenticates with the cookie in hex: the file that tor names.
func lightningIn(c *controller, cookie []byte) {
	c.t.Helper()
	if methods := c.lightning("PROTOCOLINFO 1"); !strings.Contains(methods, "COOKIEFILE=\"/") {
		c.t.Fatalf("no cookie file in %q", methods)
	}
	c.lightning("AUTHENTICATE " + hex.EncodeToString(cookie))
}

func safeCookieIn(c *controller, cookie []byte) {
	c.t.Helper()
	c.bitcoind(250, "PROTOCOLINFO 1")
	var nonce [controlspec.CookieSize]byte
	rand.Read(nonce[:])
	said := c.bitcoind(250, "AUTHCHALLENGE SAFECOOKIE "+hex.EncodeToString(nonce[:]))
	m := regexp.MustCompile(`SERVERHASH=(\S+) SERVERNONCE=(\S+)`).FindStringSubmatch(said)
	if m == nil {
		c.t.Fatalf("challenge %q", said)
	}
	theirs, err := hex.DecodeString(m[2])
	if err != nil {
		c.t.Fatal(err)
	}
	server, client := controlspec.SafeCookie(cookie, nonce[:], theirs)
	if !strings.EqualFold(hex.EncodeToString(server), m[1]) {
		c.t.Error("tor does not prove that it knows the cookie")
	}
	c.bitcoind(250, "AUTHENTICATE "+hex.EncodeToString(client))
}

var serviceID = regexp.MustCompile(`250-ServiceID=([a-z2-7]{56})\r\n`)

func serviceOf(c *controller, said string) string {
	c.t.Helper()
	m := serviceID.FindStringSubmatch(said)
	if m == nil {
		c.t.Fatalf("no onion service in %q", said)
	}
	return m[1]
}

// onionKey is an expanded ed25519 key, clamped as tor wants it.
func onionKey() string {
	var key [64]byte
	rand.Read(key[:])
	key[0] &= 248
	key[31] = key[31]&63 | 64
	return base64.StdEncoding.EncodeToString(key[:])
}

// shipped is the profile that TOPS ships, for whoever runs this test.
func shipped(t *testing.T, name string) proxy.Profiles {
	t.Helper()
	text, err := shippedprofiles.Files.ReadFile(name + ".toml")
	if err != nil {
		t.Fatal(err)
	}
	users := regexp.MustCompile(`(?m)^users = .*$`)
	if len(users.FindAll(text, -1)) != 1 {
		t.Fatalf("profile %s does not name its users once", name)
	}
	file := filepath.Join(t.TempDir(), name+".toml")
	if err := os.WriteFile(file, users.ReplaceAll(text, []byte("anybody = true")), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := access.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	return proxy.Profiles{Policy: policy}
}

// Programs that cannot be had here say their words to a real tor: directly, through
// the proxy, and held to the profile that is shipped for them.
func TestDialogues(t *testing.T) {
	tor := startTor(t, "CookieAuthentication 1")
	cookie := waitFile(t, tor.cookie)
	own := filepath.Join(t.TempDir(), "cookie")
	ours, err := proxy.NewCookie(own, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dialogues {
		t.Run(d.name, func(t *testing.T) {
			held := with(tor.unix, newEngine())
			held.Access = shipped(t, d.profile)
			let := with(tor.unix, newEngine())
			let.Access, let.Auth = shipped(t, d.profile), &proxy.Auth{CookieFile: own, Cookie: ours}
			direct := dial(t, tor.unix)
			direct.bitcoind(250, "AUTHENTICATE "+hex.EncodeToString(cookie))
			for _, way := range []struct {
				name, path string
				cookie     []byte
			}{
				{"directly", tor.unix, cookie},
				{"proxied", serve(t, with(tor.unix, newEngine())), cookie},
				{"with its profile", serve(t, held), cookie},
				{"with our cookie", serve(t, let), ours},
			} {
				t.Run(way.name, func(t *testing.T) {
					c := dial(t, way.path)
					onion := d.talk(c, way.cookie)
					c.Close()
					// What was detached stays, and nothing else.
					if got := bytes.Contains(direct.reply("GETINFO onions/detached"), []byte(onion)); got != (d.name == "autotor") {
						t.Errorf("%s is detached: %v", onion, got)
					}
				})
			}
		})
	}
}
