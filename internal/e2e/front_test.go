//go:build world

package e2e_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// front is the SOCKS port itself: what it carries, what tor answers for it, what it
// refuses.
func (w *apps) front(t *testing.T) {
	w.steady(t)
	// Names and addresses, over SOCKS and over HTTP.
	for _, target := range []string{files.String(), files6.String(), "outside.tops-e2e.org:80"} {
		conn, err := dialAs(t.Context(), "front", target)
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		conn.Close()
		tunnel, resp := httpConnect(t, target, "front", "x")
		if resp.StatusCode != http.StatusOK {
			t.Errorf("HTTP CONNECT %s: %s", target, resp.Status)
		}
		tunnel.Close()
	}
	if user := w.usersOf(t); len(user) != 1 {
		t.Errorf("one user with one password, over SOCKS and HTTP, has circuits %v; want one", user)
	}
	tunnel, _ := httpConnect(t, files.String(), "front", "another password")
	tunnel.Close()
	if user := w.usersOf(t); len(user) != 2 {
		t.Errorf("the same user with another password has circuits %v; want two in all", user)
	}
	spent := w.totals(t, "client").SpentMsat

	// tor resolves, on circuits of its own.
	for ask, want := range map[string]string{
		"\x05\xf0\x00\x03\x14outside.tops-e2e.org\x00\x00": "\x05\x00\x00\x01\x5d\xb8\xd8\x22\x00\x00",
		"\x05\xf1\x00\x01\x5d\xb8\xd8\x22\x00\x00":         "\x05\x00\x00\x03\x14outside.tops-e2e.org\x00\x00",
		"\x05\xf0\x00\x03\x14missing.tops-e2e.org\x00\x00": "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00",
		"\x05\x02\x00\x01\x5d\xb8\xd8\x22\x00\x50":         "\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", // BIND
		"\x05\x03\x00\x01\x5d\xb8\xd8\x22\x00\x50":         "\x05\x07\x00\x01\x00\x00\x00\x00\x00\x00", // UDP ASSOCIATE
	} {
		if got := rawSOCKS(t, ask); got != want {
			t.Errorf("%q was answered %q, want %q", ask, got, want)
		}
	}
	if now := w.totals(t, "client").SpentMsat; now > spent+20_000 {
		t.Errorf("%d msat were spent meanwhile", now-spent)
	}
	// Circuits that apps share are nobody's to pick.
	for id := range w.usersOf(t) {
		if conn, err := dialSOCKS(t.Context(), "circ="+id, files.String()); err == nil {
			conn.Close()
			t.Errorf("circuit %s of the pool was picked by its number", id)
		}
	}
	w.renewIdentity(t)
}

// usersOf lists the circuits that apps use: those with a pay stream that is no
// controller's.
func (w *apps) usersOf(t *testing.T) map[string]string {
	t.Helper()
	circuits := make(map[string]string)
	c := w.controller(t)
	for line := range strings.Lines(c.info(t, "tops/paystreams")) {
		e, err := controlspec.ParsePayStream(controlspec.EventPayStream + " " + strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		switch e.Status {
		case "CLOSED", "COMPLETED", "REFUSED":
		default:
			circuits[e.CircID] = e.Relay
		}
	}
	return circuits
}

// renewIdentity waits until no pay stream is left from before: tor obeys a NEWNYM
// every ten seconds only.
func (w *apps) renewIdentity(t *testing.T) {
	t.Helper()
	c := w.controller(t)
	c.ok(t, "SIGNAL NEWNYM")
	until(t, "the circuits of before to end", 20*time.Second, func() bool { return len(w.usersOf(t)) == 0 },
		func() string { return fmt.Sprint(w.usersOf(t)) })
}

// httpConnect opens a tunnel by HTTP CONNECT.
func httpConnect(t *testing.T, target, user, password string) (net.Conn, *http.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", socksPort)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: Basic %s\r\n\r\n", target, target, auth)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	return conn, resp
}

// rawSOCKS says a request and returns the answer to it.
func rawSOCKS(t *testing.T, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", socksPort)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(conn, "\x05\x01\x00"+request)
	var method [2]byte
	if _, err := io.ReadFull(conn, method[:]); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
