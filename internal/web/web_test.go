package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/figures/figurestest"
	"github.com/el-tor/tops/internal/web"
	"go.uber.org/goleak"
	"golang.org/x/net/html"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source has figures that can be changed.
type source struct {
	mu   sync.Mutex
	f    figures.Figures
	err  error
	hear map[int]func()
	n    int
}

func newSource(f figures.Figures) *source { return &source{f: f, hear: make(map[int]func())} }

func (s *source) Figures(context.Context) (figures.Figures, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.f, s.err
}

func (s *source) Changed(f func()) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	n := s.n
	s.hear[n] = f
	return func() { s.mu.Lock(); defer s.mu.Unlock(); delete(s.hear, n) }
}

func (s *source) change(f func(*figures.Figures)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.f)
	for _, hear := range s.hear {
		hear()
	}
}

func get(t *testing.T, h http.Handler, path string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9180"+path, nil)
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPage(t *testing.T) {
	h := web.New(web.Config{Source: newSource(figurestest.Busy())}).Handler()
	w := get(t, h, "/")
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", w.Code, w.Header())
	}
	page := parse(t, w.Body.String())
	text := page.text()
	for _, want := range []string{
		"Earned today30.5 sat", "This hour21.5 sat", "Ever1\u202f234.5 sat", "ebf064b1c7877810", "12", "Exit policy", "Completed, paid in full",
		"Spent today12 sat", "Left for today986.9 sat", "1.2 MB/s", "<b>middle</b>", "01234567", "payment due", "All is well.", "4 of 10, paid through 5",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not on the page:\n%s", want, text)
		}
	}
	if strings.Contains(w.Body.String(), figurestest.Controller) {
		t.Error("a controller is named on the page")
	}
	// What the policy forbids, and what a screen reader needs.
	for _, n := range page.all() {
		switch attr := attributes(n); n.Data {
		case "script":
			if attr["src"] != "/live.js" || n.FirstChild != nil {
				t.Error("a script that is not ours, or inline")
			}
		case "style", "form", "iframe":
			t.Errorf("<%s> on the page", n.Data)
		case "th":
			if attr["scope"] == "" {
				t.Error("a table header without scope")
			}
		case "svg":
			if attr["aria-hidden"] != "true" {
				t.Error("a drawing that is read aloud; its table is")
			}
		case "section":
			if attr["aria-label"] == "" && page.byID(attr["aria-labelledby"]) == nil {
				t.Errorf("a section without a name: %v", attr)
			}
		default:
			for name := range attr {
				if name == "style" || strings.HasPrefix(name, "on") {
					t.Errorf("<%s %s>: inline", n.Data, name)
				}
			}
		}
	}
	ids := map[string]bool{}
	for _, n := range page.all() {
		if id := attributes(n)["id"]; id != "" && ids[id] {
			t.Errorf("two elements have id %q", id)
		} else {
			ids[id] = true
		}
	}
}

// Without figures the page says what to do next.
func TestEmpty(t *testing.T) {
	f := figurestest.Busy()
	f.Relay = &figures.Relay{Terms: f.Relay.Terms, Tor: f.Relay.Tor}
	f.Client = &figures.Client{SOCKS: "127.0.0.1:9150", Tor: f.Client.Tor}
	text := parse(t, get(t, web.New(web.Config{Source: newSource(f)}).Handler(), "/").Body.String()).text()
	for _, want := range []string{"Nobody is paying at this moment", "Nothing was earned", "tops doctor", "No circuit is paid", "curl --socks5-hostname 127.0.0.1:9150", "No limit is set"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said", want)
		}
	}
	f.Relay, f.Client, f.Lightning = nil, nil, nil
	text = parse(t, get(t, web.New(web.Config{Source: newSource(f)}).Handler(), "/").Body.String()).text()
	if !strings.Contains(text, "No role is configured") {
		t.Error("a proxy alone does not say so")
	}
}

func TestTrouble(t *testing.T) {
	f := figurestest.Busy()
	f.Lightning.Problems = []string{"the lightning node does not answer"}
	text := parse(t, get(t, web.New(web.Config{Source: newSource(f)}).Handler(), "/").Body.String()).text()
	if !strings.Contains(text, "Lightning: needs attention.") || !strings.Contains(text, "The lightning node does not answer.") || strings.Contains(text, "All is well") {
		t.Error(text)
	}
}

func TestSpanOfTheChart(t *testing.T) {
	h := web.New(web.Config{Source: newSource(figurestest.Busy())}).Handler()
	for path, want := range map[string]string{"/": "in the last 24 hours", "/?days": "in the last 30 days"} {
		if text := parse(t, get(t, h, path).Body.String()).text(); !strings.Contains(text, want) {
			t.Errorf("%s: no %q", path, want)
		}
	}
}

func TestHost(t *testing.T) {
	h := web.New(web.Config{Source: newSource(figurestest.Busy()), Hosts: []string{"relay.lan"}}).Handler()
	for host, want := range map[string]int{
		"127.0.0.1:9180": 200, "127.8.8.8": 200, "localhost:1": 200, "LOCALHOST.": 200, "[::1]:9180": 200, "[::1]": 200, "relay.lan:80": 200, "RELAY.LAN": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example:9180": 421, "203.0.113.9": 421, "0.0.0.0": 421, "": 421, "[::]:9180": 421,
	} {
		for _, path := range []string{"/", "/events", "/live.js", "/metrics"} {
			if path == "/events" && want == 200 || path == "/metrics" && want == 200 {
				continue // the one has no end, the other is not configured here
			}
			w := get(t, h, path, func(r *http.Request) { r.Host = host })
			if w.Code != want {
				t.Errorf("%s of Host %q: %d, want %d", path, host, w.Code, want)
			}
			if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';") || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: policy %q", path, csp)
			}
		}
	}
}

func TestOthersMayNot(t *testing.T) {
	h := web.New(web.Config{Source: newSource(figurestest.Busy())}).Handler()
	cross := func(mode string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", mode)
		}
	}
	if w := get(t, h, "/live.js", cross("no-cors")); w.Code != http.StatusForbidden {
		t.Errorf("another site's script tag gets %d", w.Code)
	}
	if w := get(t, h, "/", cross("navigate")); w.Code != http.StatusOK {
		t.Errorf("a link from elsewhere gets %d", w.Code)
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if w := get(t, h, "/", func(r *http.Request) { r.Method = method }); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	if w := get(t, h, "/page.html"); w.Code != http.StatusNotFound {
		t.Errorf("the template is served: %d", w.Code)
	}
}

func TestSourceFails(t *testing.T) {
	s := newSource(figures.Figures{})
	s.err = errors.New("the books are closed")
	if w := get(t, web.New(web.Config{Source: s}).Handler(), "/"); w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "the books are closed") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// stream is what a live page hears.
type stream struct {
	body  io.ReadCloser
	lines *bufio.Reader
}

func (s stream) next(t *testing.T) (id, html string) {
	t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		var p struct{ ID, HTML string }
		if err := json.Unmarshal([]byte(data), &p); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		return p.ID, p.HTML
	}
}

// listen opens a page's events, of a server that runs until stop.
func listen(t *testing.T, s *source) (_ stream, stop func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- web.New(web.Config{Source: s, Every: 20 * time.Millisecond}).Serve(ctx, ln)
	}()
	hc := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	resp, err := hc.Get("http://localhost/events")
	if err != nil {
		t.Fatal(err)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
		t.Errorf("content type %q", ct)
	}
	out := stream{resp.Body, bufio.NewReader(resp.Body)}
	return out, func() {
		t.Helper()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve: %v", err)
		}
		_, _ = io.Copy(io.Discard, out.lines) // returns: the connection has ended
		resp.Body.Close()
		hc.CloseIdleConnections()
		if _, err := os.Stat(path); err == nil {
			t.Error("the socket is still there")
		}
	}
}

// A change arrives as the event of its panel alone, and a live page ends with the
// server.
func TestEvents(t *testing.T) {
	s := newSource(figurestest.Busy())
	events, stop := listen(t, s)
	defer stop()
	seen := map[string]bool{}
	for len(seen) < 11 { // everything, once, and the title
		id, _ := events.next(t)
		if seen[id] {
			t.Errorf("%s came twice, and nothing had changed", id)
		}
		seen[id] = true
	}
	s.change(func(f *figures.Figures) {
		r := *f.Relay
		r.TodayMsat = 77_000
		f.Relay = &r
	})
	if id, title := events.next(t); id != "title" || !strings.HasPrefix(title, "77 sat earned today") {
		t.Errorf("the change came first as %s: %s", id, title)
	}
	if id, html := events.next(t); id != "earned" || !strings.Contains(html, "77") {
		t.Errorf("the change came as %s: %s", id, html)
	}
}

// A page of one role is live, too, with nothing in it yet: each part that it has is
// sent, and no other.
func TestEventsOfOneRole(t *testing.T) {
	both := figurestest.Busy()
	for name, test := range map[string]struct {
		edit func(*figures.Figures)
		want []string
	}{
		"relay":  {func(f *figures.Figures) { f.Relay, f.Client = &figures.Relay{Terms: both.Relay.Terms}, nil }, []string{"title", "health", "earned", "earnings", "paystreams", "refusals", "foot"}},
		"client": {func(f *figures.Figures) { f.Relay, f.Client = nil, new(figures.Client) }, []string{"title", "health", "spent", "circuits", "budgets", "spending", "foot"}},
		"proxy":  {func(f *figures.Figures) { f.Relay, f.Client, f.Lightning = nil, nil, nil }, []string{"title", "health", "foot"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := both
			test.edit(&f)
			s := newSource(f)
			events, stop := listen(t, s)
			defer stop()
			for _, want := range test.want {
				if id, html := events.next(t); id != want || html == "" && id != "health" {
					t.Errorf("%s: %q, want %s", id, html, want)
				}
			}
			s.change(func(f *figures.Figures) { f.At = f.At.Add(time.Second) })
			if id, html := events.next(t); id != "foot" || !strings.Contains(html, "15:30:01") {
				t.Errorf("the clock's next second came as %s: %s", id, html)
			}
			page := parse(t, get(t, web.New(web.Config{Source: s}).Handler(), "/").Body.String())
			for _, id := range test.want[1:] {
				if page.byID(id) == nil {
					t.Errorf("%s is not on the page", id)
				}
			}
		})
	}
}

// node is a page that was parsed.
type node struct{ *html.Node }

func parse(t *testing.T, text string) node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return node{n}
}

func (n node) all() (out []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode {
			out = append(out, d)
		}
	}
	return out
}

func (n node) byID(id string) *html.Node {
	for _, d := range n.all() {
		if attributes(d)["id"] == id {
			return d
		}
	}
	return nil
}

func (n node) text() string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

func attributes(n *html.Node) map[string]string {
	m := make(map[string]string)
	for _, a := range n.Attr {
		m[a.Key] = a.Val
	}
	return m
}
