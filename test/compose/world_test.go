//go:build world

package compose_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// project is the compose project of the test. There is one: the networks of the
// world have fixed addresses, so that it cannot be there twice.
const project = "tops-test"

// world is what is up.
type world struct {
	env                     []string
	socks, client, relayWeb string // addresses on this machine
}

// compose runs docker-compose on the world with the simulator.
func (w *world) compose(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, w.env, "docker-compose",
		append([]string{"-p", project, "-f", "docker-compose.yml", "-f", "docker-compose.sim.yml"}, args...)...)
}

// TestWorld brings the world up from nothing, pays, stops paying, and wants nothing
// to be left afterwards.
func TestWorld(t *testing.T) {
	w := &world{socks: freeAddress(t), client: freeAddress(t), relayWeb: freeAddress(t)}
	w.env = append(images, "TOPS_INTERVAL=3s", "TOPS_GRACE=1s",
		"TOPS_SOCKS="+port(w.socks), "TOPS_CLIENT_PAGE="+port(w.client), "TOPS_RELAY_PAGE="+port(w.relayWeb))
	w.down(t)                           // what a killed test has left
	if os.Getenv("KEEP_IMAGES") == "" { // for who runs it again and again
		t.Cleanup(func() { removeImages(t) })
	}
	t.Cleanup(func() { w.nothingLeft(t) })
	t.Cleanup(func() { w.down(t) })
	bases(t)
	began := time.Now()
	w.compose(t, "build", "-q")
	t.Logf("the images were built in %v", time.Since(began).Round(time.Second))
	began = time.Now()
	w.compose(t, "up", "-d")
	w.until(t, 2*time.Minute, "the door to answer", func() bool {
		conn, err := net.Dial("tcp", w.socks)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	t.Logf("the world was up in %v", time.Since(began).Round(time.Second))

	w.program(t)
	w.closed(t)
	w.paid(t)
	w.cut(t)
}

// program tries the image of tops alone, and has it read the examples for mainnet.
func (w *world) program(t *testing.T) {
	alone := []string{"run", "--rm", "--network", "none"}
	run(t, nil, "docker", append(alone, "tops-test/tops", "config", "example")...)
	for _, role := range []string{"client", "relay"} {
		text, err := os.ReadFile("../../compose/" + role + ".example.toml")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "tops.toml")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, nil, "docker", append(alone, "-v", file+":/etc/tops/tops.toml:ro",
			"-e", "TOPS_DATA_DIR=/var/lib/tops", "-e", "TOPS_LIGHTNING_RPC=/lightning/lightning-rpc", "tops-test/tops", "config", "check")...)
	}
}

func (w *world) down(t *testing.T) {
	began := time.Now()
	w.compose(t, "down", "-v", "--remove-orphans")
	if took := time.Since(began); took > 20*time.Second {
		t.Logf("down took %v", took.Round(time.Second))
	}
}

// nothingLeft wants no container, volume or network of the project to be there.
func (w *world) nothingLeft(t *testing.T) {
	filter := "label=com.docker.compose.project=" + project
	for _, list := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		if out := run(t, nil, "docker", append(list, "--filter", filter)...); strings.TrimSpace(out) != "" {
			t.Errorf("docker %s: %q is left", strings.Join(list, " "), out)
		}
	}
}

// closed wants no container with a tor or a tops to have a way out, each to be an
// ordinary user without capabilities on a root that cannot be written, and ports to
// be on the loopback.
func (w *world) closed(t *testing.T) {
	for _, id := range strings.Fields(w.compose(t, "ps", "-q")) {
		var c []struct {
			Name       string
			Config     struct{ User string }
			HostConfig struct {
				ReadonlyRootfs bool
				CapDrop        []string
			}
			NetworkSettings struct {
				Networks map[string]struct{ Gateway string }
				Ports    map[string][]struct{ HostIP string }
			}
		}
		if err := json.Unmarshal([]byte(run(t, nil, "docker", "inspect", id)), &c); err != nil {
			t.Fatal(err)
		}
		door := strings.Contains(c[0].Name, "_door_")
		if c[0].Config.User != "10001:10001" {
			t.Errorf("%s runs as %q", c[0].Name, c[0].Config.User)
		}
		idle := regexp.MustCompile("_(bitcoind|payer-node|payee-node|channel)_").MatchString(c[0].Name) // in the place of others' images
		if !idle && (!c[0].HostConfig.ReadonlyRootfs || fmt.Sprint(c[0].HostConfig.CapDrop) != "[ALL]") {
			t.Errorf("%s: its root can be written or it has capabilities: %+v", c[0].Name, c[0].HostConfig)
		}
		for name := range c[0].NetworkSettings.Networks {
			internal := strings.TrimSpace(run(t, nil, "docker", "network", "inspect", "-f", "{{.Internal}}", name))
			if internal != "true" && !door {
				t.Errorf("%s is on %s, which leads out", c[0].Name, name)
			}
		}
		for p, hosts := range c[0].NetworkSettings.Ports {
			for _, h := range hosts {
				if h.HostIP != "127.0.0.1" {
					t.Errorf("%s: port %s is on %q", c[0].Name, p, h.HostIP)
				}
			}
		}
	}
}

// paid downloads through a paid circuit and sees the money move on both pages.
func (w *world) paid(t *testing.T) {
	w.until(t, time.Minute, "a page through a paid circuit", func() bool { return w.get(t, "/", 100) == nil })
	spent, earned := w.ever(t, w.client), w.ever(t, w.relayWeb)
	began := time.Now()
	if err := w.get(t, "/20MB", 20_000_000); err != nil {
		t.Fatal(err)
	}
	t.Logf("20 MB came in %v", time.Since(began).Round(100*time.Millisecond))
	w.until(t, time.Minute, "the pages to show the money move", func() bool {
		return w.get(t, "/", 100) == nil && w.ever(t, w.client) > spent && w.ever(t, w.relayWeb) > earned
	})
	if ledger := w.tops(t, "client", "ledger"); !strings.Contains(ledger, " msat") {
		t.Errorf("the client's books: %s", ledger)
	}
	if earnings := w.tops(t, "relay", "earnings"); !strings.Contains(earnings, "total, msat") {
		t.Errorf("what the relay earned: %s", earnings)
	}
	t.Logf("spent %d sat, says the client's page; earned %d sat, says the relay's", w.ever(t, w.client), w.ever(t, w.relayWeb))
}

// cut has the payer's node pay nothing more, in the middle of a download.
func (w *world) cut(t *testing.T) {
	resp, err := w.open(t.Context(), "/cgi-bin/endless")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	buf := make([]byte, 64<<10)
	if _, err := io.ReadFull(resp.Body, buf); err != nil {
		t.Fatal(err)
	}
	w.tops(t, "payer-node", "sim", "ctl", "--dir", "/lightning", "faults", `{"node":"payer","set":{"failrate":"1"}}`)
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond) // slowly, for as long as it lasts
	defer tick.Stop()
	for range tick.C {
		if _, err := resp.Body.Read(buf); err != nil {
			t.Logf("an endless download ended %v after the node stopped paying: %v", time.Since(began).Round(100*time.Millisecond), err)
			break
		}
		if time.Since(began) > time.Minute {
			t.Fatal("who does not pay is served")
		}
	}
	w.until(t, time.Minute, "the relay to have cut who does not pay", func() bool {
		return strings.Contains(w.tops(t, "relay", "ledger"), "LATE")
	})
}

// until waits for a condition, and shows the world's last words if it does not come.
func (w *world) until(t *testing.T, wait time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s\n%s\n%s", wait, what, w.compose(t, "ps"), w.compose(t, "logs", "--tail=15"))
		}
	}
}

// open asks for a page of the world's web server, through the client's SOCKS port.
func (w *world) open(ctx context.Context, path string) (*http.Response, error) {
	web := &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "socks5h", Host: w.socks}),
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web.tops:8080"+path, nil)
	if err != nil {
		return nil, err
	}
	return web.Do(req)
}

// get fetches a page and wants at least so many bytes.
func (w *world) get(t *testing.T, path string, want int64) error {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	resp, err := w.open(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (resp.StatusCode != http.StatusOK || n < want) {
		err = fmt.Errorf("%s: %d bytes, want %d", resp.Status, n, want)
	}
	return err
}

var everOnPage = regexp.MustCompile(`<dt>Ever</dt><dd>([0-9]+)`)

// ever is how many sat were spent or earned ever, as a status page says.
func (w *world) ever(t *testing.T, address string) int {
	t.Helper()
	resp, err := http.Get("http://" + address + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := everOnPage.FindSubmatch(text)
	if m == nil {
		t.Fatalf("the page at %s does not say it: %s", address, text)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tops runs tops in the container of a service.
func (w *world) tops(t *testing.T, service string, args ...string) string {
	t.Helper()
	return w.compose(t, append([]string{"exec", "-T", service, "tops"}, args...)...)
}

func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		panic(err)
	}
	return p
}
