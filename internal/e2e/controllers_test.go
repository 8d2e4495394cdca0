package e2e_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// badControllers stops in the middle of commands, and goes away in the middle of
// them.
func (w *world) badControllers(t *testing.T) {
	cookie, err := os.ReadFile(filepath.Join(w.net.Clients[0].Dir, "control_auth_cookie"))
	if err != nil {
		t.Fatal(err)
	}
	login := fmt.Sprintf("AUTHENTICATE %s\r\n", hex.EncodeToString(cookie))
	extend := "EXTENDPAIDCIRCUIT 0 " + w.path[0] + "," + unknownRelay
	for _, test := range []struct {
		name, says string
		want       []string // the replies before the connection ends
	}{
		{"half a command", login + extend, []string{"250 OK"}},
		{"half a data block", login + "+EXTENDPAIDCIRCUIT 0\r\n" + w.path[0] + " 00", []string{"250 OK"}},
		{"a whole data block of rubbish", login + "+EXTENDPAIDCIRCUIT 0\r\n" + w.path[0] + " 00\r\n.\r\n", []string{"250 OK", "512 A paid circuit has 2 to 8 hops, not 1"}},
		{"before it is let in", extend + "\r\n", []string{"514 Authentication required."}},
		{"with a wrong cookie", "AUTHENTICATE 00\r\n" + extend + "\r\n", []string{"515 "}},
		{"a bare CR", login + "EXTENDPAIDCIRCUIT 0\r " + unknownRelay + "\r\nGETINFO tops/spent\r\n", []string{"250 OK", "500 Syntax error: bare CR in a command", "250-tops/spent=", "250 OK"}},
		{"a NUL", login + "GETINFO tops/version\x00\r\n", []string{"250 OK", "500 Syntax error: NUL in a command"}},
		{"many at once", login + strings.Repeat("GETINFO tops/version\r\n", 3), []string{"250 OK",
			"250-tops/version=" + version, "250 OK", "250-tops/version=" + version, "250 OK", "250-tops/version=" + version, "250 OK"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.steady(t)
			conn := w.rawController(t)
			if _, err := io.WriteString(conn, test.says); err != nil {
				t.Fatal(err)
			}
			conn.CloseWrite()
			lines := bufio.NewScanner(conn)
			for _, want := range test.want {
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
					t.Fatalf("%q, %v; want %q", lines.Text(), lines.Err(), want)
				}
			}
			for lines.Scan() {
				t.Errorf("and then %q", lines.Text())
			}
		})
	}
	// One that stalls holds nobody up but itself, and costs what its connection costs.
	t.Run("stalled", func(t *testing.T) {
		w.steady(t)
		for _, says := range []string{login + extend, login + "+EXTENDPAIDCIRCUIT 0\r\n" + w.path[0], login[:20]} {
			if _, err := io.WriteString(w.rawController(t), says); err != nil {
				t.Fatal(err)
			}
		}
		c := w.controller(t)
		if got := c.info(t, "tops/version"); got != version {
			t.Errorf("tops/version = %q", got)
		}
	})
	// One that hangs up while its circuit is built has a circuit all the same, as at
	// tor, and it is looked after.
	t.Run("gone", func(t *testing.T) {
		w.steady(t)
		conn := w.rawController(t)
		if _, err := io.WriteString(conn, login+"EXTENDPAIDCIRCUIT 0 "+strings.Join(w.path, ",")+"\r\n"); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(conn)
		for lines.Scan() && lines.Text() == "250 OK" {
		}
		circ, ok := strings.CutPrefix(lines.Text(), "250 EXTENDED ")
		if !ok {
			t.Fatalf("%q, %v", lines.Text(), lines.Err())
		}
		conn.Close()
		c := w.controller(t)
		until(t, "the pay stream", 20*time.Second, func() bool {
			return strings.Contains(c.ask(t, "GETINFO tops/circuit/"+circ), " FREE ")
		})
		c.ok(t, "CLOSECIRCUIT "+circ)
	})
}

// rawController is a connection to the client's control port, with the test's end
// as its own.
func (w *world) rawController(t *testing.T) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: w.controlSocket(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(15 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn
}
