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
	"os/exec"
	"strings"
	"testing"
	"time"
)

// world is the compose project of a test.
type world struct {
	project string
	env     []string
	socks   string
}

// compose runs docker-compose on the world with the simulator.
func (w *world) compose(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, w.env, "docker-compose", append(w.files(), args...)...)
}

func (w *world) files() []string {
	return []string{"-p", w.project, "-f", "docker-compose.yml", "-f", "docker-compose.sim.yml"}
}

// up starts the world and has it taken down at the end.
func up(t *testing.T) *world {
	w := &world{project: fmt.Sprintf("tops-test-%d", os.Getpid()), env: bases(t)}
	w.socks = freeAddress(t)
	w.env = append(w.env, "TOPS_INTERVAL=3s", "TOPS_GRACE=1s", "TOPS_SOCKS="+port(w.socks),
		"TOPS_CLIENT_PAGE="+port(freeAddress(t)), "TOPS_RELAY_PAGE="+port(freeAddress(t)))
	t.Cleanup(func() {
		cmd := exec.Command("docker-compose", append(w.files(), "down", "-v", "--remove-orphans")...)
		cmd.Dir, cmd.Env = "../..", append(os.Environ(), w.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	began := time.Now()
	w.compose(t, "build")
	t.Logf("the images were built in %v", time.Since(began).Round(time.Second))
	began = time.Now()
	w.compose(t, "up", "-d")
	w.until(t, 2*time.Minute, "the client to be healthy", func() bool {
		id := strings.TrimSpace(w.compose(t, "ps", "-q", "client"))
		return strings.TrimSpace(run(t, nil, "docker", "inspect", "-f", "{{.State.Health.Status}}", id)) == "healthy"
	})
	t.Logf("the world was up in %v", time.Since(began).Round(time.Second))
	return w
}

// TestWorld brings the world up from nothing, pays, stops paying, and wants nothing
// to be left afterwards.
func TestWorld(t *testing.T) {
	var project string
	t.Run("up", func(t *testing.T) {
		w := up(t)
		project = w.project
		paidAndCut(t, w)
	})
	filter := "label=com.docker.compose.project=" + project
	for _, list := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}} {
		if out := run(t, nil, "docker", append(list, "--filter", filter)...); strings.TrimSpace(out) != "" {
			t.Errorf("docker %s: %q is left", strings.Join(list, " "), out)
		}
	}
}

func paidAndCut(t *testing.T, w *world) {
	web := &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "socks5h", Host: w.socks}),
		DisableKeepAlives: true,
	}}

	var last error
	w.until(t, time.Minute, "a page through a paid circuit", func() bool {
		last = w.get(t, web, "/", 100)
		return last == nil
	})
	// A download that takes several rounds, so that money moves.
	if err := w.get(t, web, "/20MB", 20_000_000); err != nil {
		t.Fatal(err)
	}
	w.until(t, time.Minute, "the relay to have been paid", func() bool {
		return w.totals(t, "relay").EarnedMsat >= 1000
	})
	if spent := w.totals(t, "client").SpentMsat; spent < 1000 {
		t.Errorf("the client spent %d msat, want at least what a round costs", spent)
	}

	// Who stops paying is cut.
	w.simulator(t, "faults", map[string]any{"node": "payer", "set": map[string]string{"failrate": "1"}})
	w.until(t, time.Minute, "the relay to cut who does not pay", func() bool {
		return strings.Contains(w.tops(t, "relay", "status"), "LATE")
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

// get fetches a page of the world's web server and wants at least so many bytes.
func (w *world) get(t *testing.T, c *http.Client, path string, want int64) error {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web.tops:8080"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
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

// tops runs tops in the container of a service.
func (w *world) tops(t *testing.T, service string, args ...string) string {
	t.Helper()
	return w.compose(t, append([]string{"exec", "-T", service, "tops"}, args...)...)
}

type totals struct {
	SpentMsat  int64 `json:"spent_msat"`
	EarnedMsat int64 `json:"earned_msat"`
}

func (w *world) totals(t *testing.T, service string) totals {
	t.Helper()
	var st struct {
		Totals totals `json:"totals"`
	}
	if err := json.Unmarshal([]byte(w.tops(t, service, "status", "--json")), &st); err != nil {
		t.Fatal(err)
	}
	return st.Totals
}

// simulator makes trouble for the play-money nodes.
func (w *world) simulator(t *testing.T, method string, params any) {
	t.Helper()
	text, err := json.Marshal(params)
	if err != nil {
		t.Fatal(err)
	}
	w.tops(t, "payer-node", "sim", "ctl", "--dir", "/lightning", method, string(text))
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
