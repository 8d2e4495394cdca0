package client

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/experience"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

// fakeRelay is a relay that a fakeTor knows.
type fakeRelay struct {
	fingerprint string
	addr        netip.Addr
	flags       string
	bandwidth   int
	rateMsat    int64 // of a round; 0: it is not to be paid
}

// fakeTor is the control port of a tor that knows some relays and builds every
// circuit at once, unless it is told to wait. No cell is sent.
type fakeTor struct {
	address string
	relays  []fakeRelay

	mu      sync.Mutex
	sock    net.Conn
	serial  int
	holds   bool                // circuits stay as they are begun
	paths   map[string][]string // of the circuits there are, by id
	extends []string            // the last hop of each circuit that was asked for
}

// newFakeTor has a guard, two middle relays, and paid exits, each in a network of its own.
func newFakeTor(t *testing.T, exits ...fakeRelay) *fakeTor {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeTor{address: "unix:" + ln.Addr().String(), paths: make(map[string][]string)}
	f.relays = append([]fakeRelay{{flags: "Guard"}, {}, {}}, exits...)
	for i := range f.relays {
		r := &f.relays[i]
		r.fingerprint = strings.Repeat(fmt.Sprintf("%02X", i+1), 20)
		r.addr = netip.AddrFrom4([4]byte{11, byte(i + 1), 0, 1})
		r.flags += " Fast Running Stable Valid"
		r.bandwidth = max(r.bandwidth, 100)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			sock, err := ln.Accept()
			if err != nil {
				return
			}
			f.serve(sock)
		}
	}()
	return f
}

func (f *fakeTor) serve(sock net.Conn) {
	defer sock.Close()
	f.mu.Lock()
	f.sock = sock
	f.mu.Unlock()
	for lines := bufio.NewScanner(sock); lines.Scan(); {
		f.mu.Lock()
		_, err := io.WriteString(sock, f.answerLocked(lines.Text()))
		f.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (f *fakeTor) answerLocked(line string) string {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "PROTOCOLINFO":
		return "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor=\"0.4.9.11\"\r\n250 OK\r\n"
	case "GETCONF":
		return "250 " + strings.Fields(rest)[0] + "\r\n" // nothing is set
	case "GETINFO":
		text, ok := f.infoLocked(rest)
		if !ok {
			return "552 Unrecognized key\r\n"
		}
		return "250+" + rest + "=\r\n" + strings.ReplaceAll(text, "\n", "\r\n") + ".\r\n250 OK\r\n"
	case "EXTENDCIRCUIT":
		f.serial++
		id, path := fmt.Sprint(f.serial), strings.Split(strings.Fields(rest)[1], ",")
		f.paths[id], f.extends = path, append(f.extends, path[len(path)-1])
		if f.holds {
			return "250 EXTENDED " + id + "\r\n"
		}
		return "250 EXTENDED " + id + "\r\n" + f.builtLocked(id)
	case "CLOSECIRCUIT":
		return "250 OK\r\n" + f.endLocked(rest, "CLOSED", "REQUESTED")
	}
	return "250 OK\r\n"
}

func (f *fakeTor) builtLocked(id string) string {
	return "650 CIRC " + id + " BUILT $" + strings.Join(f.paths[id], ",$") + " PURPOSE=GENERAL\r\n"
}

func (f *fakeTor) endLocked(id, how, reason string) string {
	if _, there := f.paths[id]; !there {
		return ""
	}
	delete(f.paths, id)
	return "650 CIRC " + id + " " + how + " PURPOSE=GENERAL REASON=" + reason + "\r\n"
}

// say sends events.
func (f *fakeTor) say(event func() string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	io.WriteString(f.sock, event())
}

// hold has circuits wait, or not.
func (f *fakeTor) hold(is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holds = is
}

// open is how many circuits there are.
func (f *fakeTor) open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.paths)
}

// asked lists the last hops of circuits that were asked for since the last time.
func (f *fakeTor) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.extends
	f.extends = nil
	return out
}

func (f *fakeTor) infoLocked(key string) (text string, ok bool) {
	what, of := key[:strings.LastIndexByte(key, '/')+1], key[strings.LastIndexByte(key, '/')+1:]
	switch {
	case key == "consensus/valid-after":
		return "2026-01-01 00:00:00\n", true
	case key == "stream-status":
		return "", true
	case key == "circuit-status":
		for id := range f.paths {
			text += strings.TrimSuffix(strings.TrimPrefix(f.builtLocked(id), "650 CIRC "), "\r\n") + "\n"
		}
		return text, true
	case key == "entry-guards":
		return "$" + f.relays[0].fingerprint + " up\n", true
	case key == "dir/status-vote/current/consensus-microdesc":
		for _, r := range f.relays {
			text += r.status("")
		}
		return text, true
	}
	for _, r := range f.relays {
		switch {
		case r.fingerprint != of:
		case what == "ns/id/":
			return r.status(" AAAA"), true
		case what == "md/id/", what == "desc/id/" && r.rateMsat == 0:
			return "onion-key\n", true
		case what == "desc/id/":
			return "contact " + r.terms().ContactWords() + "\n", true
		}
	}
	return "", false
}

// status is a relay's entry in the consensus (dir-spec §3.4.1).
func (r fakeRelay) status(digest string) string {
	id, _ := hex.DecodeString(r.fingerprint)
	return fmt.Sprintf("r nick %s%s 2026-01-01 00:00:00 %s 9001 0\ns %s\nw Bandwidth=%d\n",
		base64.RawStdEncoding.EncodeToString(id), digest, r.addr, r.flags, r.bandwidth)
}

func (r fakeRelay) terms() policies.Terms {
	t := policies.DefaultTerms(r.fingerprint, policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.AddrPortFrom(r.addr, 9402))
	t.RateMsat, t.FinalMsat = r.rateMsat, r.rateMsat
	return t
}

// clientOf is a client of that tor. What it says went wrong is in the slice when
// the test has ended it.
func clientOf(t *testing.T, f *fakeTor, change func(*config.Client)) (c *Client, end func() []error) {
	t.Helper()
	cfg, err := config.Parse("data_dir = \"/nowhere\"\n[lightning]\nrpc = \"x\"\n[client]\n")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(cfg.Client)
	}
	var mu sync.Mutex
	var failed []error
	c = &Client{
		cfg: Config{Client: cfg.Client, Now: time.Now, Failed: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = append(failed, err)
		}},
		policy: paymentPolicy(cfg.Client), circuits: tor.NewCircuits(), relays: newDirectory(),
		attacher: tor.NewAttacher(tor.NewSettings(tor.SettingsState{}, func(tor.SettingsState) error { return nil }, nil)),
		book:     experience.New("", experience.Options{HalfLife: time.Hour, Now: time.Now}),
		paid:     make(map[string]*circuit), byPay: make(map[paystream.Handle]*circuit), lately: make(map[string]time.Time),
		pool: newPool[*circuit](0, time.Now),
	}
	c.budget = newBudget(c.cfg)
	r := &purse{}
	c.Payer = paystream.NewPayer(paystream.PayerConfig{Wallet: r, Journal: memjournal.New(), Budget: c.budget, Policy: c.policy})
	c.pool.build, c.pool.spawn, c.said.failed = c.buildSpare, c.spawn, c.failed
	c.ctx, c.stop = context.WithCancel(context.Background())
	if _, err := c.Payer.Recover(c.ctx); err != nil {
		t.Fatal(err)
	}
	c.tor, err = tor.Start(c.ctx, tor.Config{Options: tor.Options{Address: f.address}, Handlers: []tor.Handler{c.circuits, c.attacher, c.relays}})
	if err != nil {
		t.Fatal(err)
	}
	return c, sync.OnceValue(func() []error {
		c.stop()
		c.wg.Wait()
		c.tor.Close()
		mu.Lock()
		defer mu.Unlock()
		return failed
	})
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("never: %s", what)
		}
	}
}

// restart is a tor that is started again: it has no circuits, and whoever was
// connected has to connect anew.
func (f *fakeTor) restart() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.paths)
	f.sock.Close()
}
