//go:build world

package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testpg"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// With the build tag world every test that can runs on PostgreSQL, and these do
// besides.
func startServer() (*testpg.Server, error) { return testpg.Start() }

// The connection dies with the COMMIT under way: before the server has it, or
// after, with nobody told. In both cases the caller learns the truth, the group is
// written once, and all goes on.
func TestALostCommitIsLookedUp(t *testing.T) {
	for name, arrives := range map[string]bool{"the server never got it": false, "the answer never came": true} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t)
			l := open(t, p.url(t))
			r := journaltest.PayeeStream(1)
			for n := 1; n <= 10; n++ {
				p.cutAtCommit(arrives)
				known, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: uint64(n)}, Streams: []paystream.PayeeRecord{r},
					Bookings: []paystream.Booking{journaltest.Credit(n, r.Handle, 1)}})
				if err != nil || len(known) > 0 {
					t.Fatalf("commit %d: %v, %v; want it done, once", n, known, err)
				}
			}
			if p.cuts() != 10 {
				t.Fatalf("%d connections were cut, want 10", p.cuts())
			}
			st, err := l.LoadPayee(t.Context(), time.Time{})
			if err != nil || st.PayIndex != 10 || st.Streams[0].BalanceMsat != 10 {
				t.Errorf("%+v, %v; want 10 credits of 1 msat", st, err)
			}
		})
	}
}

// Connections die at any byte, with many callers: whoever was told yes is there,
// whoever was told no is not, and nothing is there twice.
func TestConnectionsThatDieAtAnyMoment(t *testing.T) {
	p := newProxy(t)
	l := open(t, p.url(t))
	const callers, commits = 8, 40
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			r := journaltest.PayeeStream(c)
			for n := range commits {
				k := journaltest.Credit(c*commits+n+1, r.Handle, 1)
				known, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Streams: []paystream.PayeeRecord{r}, Bookings: []paystream.Booking{k}})
				if err != nil || len(known) > 0 {
					t.Errorf("caller %d, commit %d: %v, %v", c, n, known, err)
				}
				if n%3 == 0 {
					p.cutAfter(int64((c*commits + n) * 97 % 4000))
				}
			}
		})
	}
	wg.Wait()
	p.cutAfter(-1)
	st, err := l.LoadPayee(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range st.Streams {
		if r.BalanceMsat != commits {
			t.Errorf("%s: %d credits, want %d", r.Handle, r.BalanceMsat, commits)
		}
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("%d connections were cut during %d commits", p.cuts(), callers*commits)
	if p.cuts() < 5 {
		t.Errorf("only %d connections were cut", p.cuts())
	}
}

// A server that crashes and comes back in time is a pause, not an error.
func TestServerCrash(t *testing.T) {
	pg, err := testpg.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Stop()
	l := open(t, pg.URL("crash"))
	save := func(n int) error { return l.SavePayStream(t.Context(), journaltest.PayerStream(n)) }
	for n := range 3 {
		if err := save(n); err != nil {
			t.Fatal(err)
		}
		if err := pg.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	if err := save(3); err != nil {
		t.Fatal(err)
	}
	if st, err := l.LoadPayer(t.Context()); err != nil || len(st.Streams) != 4 {
		t.Errorf("%d pay streams, %v; want 4", len(st.Streams), err)
	}
	// One that stays away is said, and nothing is written later on.
	if err := pg.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := save(4); !errors.Is(err, ledger.ErrAway) {
		t.Errorf("with the server away: %v, want ErrAway", err)
	}
	if err := pg.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := save(5); err != nil {
		t.Errorf("with the server back: %v", err)
	}
	if st, err := l.LoadPayer(t.Context()); err != nil || len(st.Streams) != 5 {
		t.Errorf("%d pay streams, %v; want 5, without the one that was refused", len(st.Streams), err)
	}
}

// Who lost the lock and finds that somebody else has written stops for good.
func TestSomebodyElseWrote(t *testing.T) {
	p := newProxy(t)
	place := p.url(t)
	l := open(t, place)
	if err := l.SavePayStream(t.Context(), journaltest.PayerStream(1)); err != nil {
		t.Fatal(err)
	}
	p.away(true)
	direct := strings.Replace(place, p.dir, server.Dir(), 1)
	other := open(t, direct) // it waits for the lock that the lost connection had
	if err := other.SavePayStream(t.Context(), journaltest.PayerStream(2)); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	p.away(false)
	for range 2 {
		if err := l.SavePayStream(t.Context(), journaltest.PayerStream(3)); !errors.Is(err, ledger.ErrBroken) {
			t.Errorf("%v, want ErrBroken", err)
		}
	}
	if err := l.Wait(t.Context()); !errors.Is(err, ledger.ErrBroken) {
		t.Errorf("Wait: %v, want ErrBroken", err)
	}
}

// Several tops share a database, each with tables of its own.
func TestSchemasAreApart(t *testing.T) {
	a, b := open(t, newPlace(t)), open(t, newPlace(t))
	r := journaltest.PayeeStream(1)
	for n, l := range []*ledger.Ledger{a, b} {
		for i := range n + 1 { // the same payer at both, with the same hash
			if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: uint64(i + 1)}, Streams: []paystream.PayeeRecord{r},
				Bookings: []paystream.Booking{journaltest.Credit(i+1, r.Handle, 1000)}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n, l := range []*ledger.Ledger{a, b} {
		if got, err := l.Totals(t.Context()); err != nil || got.EarnedMsat != int64(n+1)*1000 {
			t.Errorf("ledger %d earned %d msat, %v", n, got.EarnedMsat, err)
		}
	}
}

// Strangers' notes hold what they like.
func TestTextsThatPostgreSQLRefuses(t *testing.T) {
	l := open(t, newPlace(t))
	k := journaltest.Credit(1, "", 1)
	k.Kind, k.Note, k.Label = paystream.BookedUnclaimed, "a\x00b\xff", strings.Repeat("\x00", 100)
	if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: 1}, Bookings: []paystream.Booking{k}}); err != nil {
		t.Error(err)
	}
}

func TestPasswordsStayOutOfErrors(t *testing.T) {
	for _, place := range []string{
		"postgres://tops:hunter2@127.0.0.1:1/tops",
		"postgres://tops@127.0.0.1:1/tops?password=hunter2",
		"postgres://tops:hunter2@127.0.0.1:1/tops?search_path=a,b",
		"postgres://tops:hunter2@127.0.0.1:none/tops",
		"postgres://tops:hunter2@127.0.0.1:1/tops?sslmode=perhaps",
		"postgres://tops:hunter2%zz@127.0.0.1:1/tops",
		"postgres://tops:hunter2@127.0.0.1:1/tops?connect_timeout=soon",
	} {
		for what, open := range map[string]func(context.Context, string) (*ledger.Ledger, error){"Open": ledger.Open, "OpenReader": ledger.OpenReader} {
			_, err := open(t.Context(), place)
			if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "hunter2") {
				t.Errorf("%s: %v, want an error without the password", what, err)
			}
		}
	}
}

// proxy stands between a ledger and the server, and cuts.
type proxy struct {
	dir string

	mu     sync.Mutex          // guards those below
	conns  map[net.Conn]bool   // false: it gets no answer any more
	names  map[net.Conn][]byte // of the statement COMMIT
	commit bool                // cut at the next COMMIT
	pass   bool                // it still gets to the server
	after  int64
	gone   bool
	cutN   int
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{dir: t.TempDir(), conns: make(map[net.Conn]bool), names: make(map[net.Conn][]byte), after: -1}
	ln, err := net.Listen("unix", filepath.Join(p.dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); p.cutAll(); wg.Wait() })
	return p
}

func (p *proxy) url(t *testing.T) string {
	return testpg.URL(p.dir, fmt.Sprintf("test%d", schemas.Add(1)))
}

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	p.mu.Lock()
	gone := p.gone
	p.conns[c] = true
	p.mu.Unlock()
	defer func() { p.mu.Lock(); delete(p.conns, c); p.mu.Unlock() }()
	if gone {
		return
	}
	s, err := server.Dial()
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { // answers
		defer c.Close()
		buf := make([]byte, 32<<10)
		for {
			n, err := s.Read(buf)
			if n > 0 && !p.muted(c) {
				c.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	})
	buf := make([]byte, 32<<10)
	for {
		n, err := c.Read(buf)
		if err != nil || !p.forward(c, s, buf[:n]) {
			break
		}
	}
	s.Close()
	back.Wait()
}

// forward passes on what a ledger says, and says whether to go on.
func (p *proxy) forward(c, s net.Conn, b []byte) bool {
	p.mu.Lock()
	cut, pass := false, false
	switch {
	case p.gone:
		cut = true
	case p.isCommit(c, b) && p.commit:
		p.commit, cut, pass = false, true, p.pass
	case p.after >= 0:
		if p.after -= int64(len(b)); p.after < 0 {
			cut, b, pass = true, b[:len(b)+int(p.after)], true
		}
	}
	if cut {
		p.cutN++
		p.conns[c] = false // and no answer any more
	}
	p.mu.Unlock()
	if !cut || pass {
		if _, err := s.Write(b); err != nil {
			return false
		}
	}
	return !cut
}

func (p *proxy) muted(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.conns[c]
}

// isCommit finds the execution of COMMIT. It is prepared first, under a name.
func (p *proxy) isCommit(c net.Conn, b []byte) bool {
	if found := prepareCommit.FindSubmatch(b); found != nil {
		p.names[c] = bytes.Clone(found[1])
		return false
	}
	return len(p.names[c]) > 0 && b[0] == 'B' && bytes.Contains(b, append(p.names[c], 0))
}

var prepareCommit = regexp.MustCompile(`([a-z0-9_]+)\x00COMMIT\x00`)

func (p *proxy) cutAtCommit(pass bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commit, p.pass = true, pass
}

func (p *proxy) cutAfter(bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after = bytes
}

func (p *proxy) cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cutN
}

func (p *proxy) away(yes bool) {
	p.mu.Lock()
	p.gone = yes
	p.mu.Unlock()
	if yes {
		p.cutAll()
	}
}

func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}
