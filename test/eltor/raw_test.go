//go:build eltor

package eltor_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
)

// A raw is a control connection whose lines are taken as they come, so that a
// test sees what the fork really writes.
type raw struct {
	t       *testing.T
	conn    net.Conn
	replies chan string
	events  chan string
}

func dialRaw(t *testing.T, n *testnet.Node) *raw {
	t.Helper()
	return dialControl(t, n.ControlSocket, n)
}

// dialControl connects to a socket behind which a node is.
func dialControl(t *testing.T, socket string, n *testnet.Node) *raw {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	cookie, err := os.ReadFile(filepath.Join(n.Dir, "control_auth_cookie"))
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{t: t, conn: conn, replies: make(chan string, 10000), events: make(chan string, 10000)}
	go func() {
		defer close(r.replies)
		defer close(r.events)
		in := bufio.NewReader(conn)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if strings.HasPrefix(line, "650") {
				r.events <- line
			} else {
				r.replies <- line
			}
		}
	}()
	r.ok("AUTHENTICATE " + hex.EncodeToString(cookie))
	return r
}

// do sends a command and returns the lines of its reply, line ends included.
func (r *raw) do(command string) []string {
	r.t.Helper()
	if _, err := fmt.Fprintf(r.conn, "%s\r\n", command); err != nil {
		return []string{"write: " + err.Error()}
	}
	var lines []string
	data := false
	for {
		select {
		case line, ok := <-r.replies:
			if !ok {
				return append(lines, "EOF")
			}
			lines = append(lines, line)
			switch {
			case data:
				data = line != ".\r\n"
			case len(line) > 3 && line[3] == '+':
				data = true
			case len(line) > 3 && line[3] == ' ':
				return lines
			}
		case <-time.After(10 * time.Second):
			return append(lines, "nothing for 10 s")
		}
	}
}

// ok sends a command that must succeed.
func (r *raw) ok(command string) {
	r.t.Helper()
	if reply := r.do(command); reply[len(reply)-1] != "250 OK\r\n" {
		r.t.Fatalf("%.50q: %q", command, reply)
	}
}

// event waits for one that holds all of these words.
func (r *raw) event(wait time.Duration, words ...string) string {
	r.t.Helper()
	timer := time.NewTimer(wait)
	defer timer.Stop()
next:
	for {
		select {
		case line, ok := <-r.events:
			if !ok {
				return "EOF"
			}
			for _, word := range words {
				if !strings.Contains(line, word) {
					continue next
				}
			}
			return line
		case <-timer.C:
			return ""
		}
	}
}

// built reports whether a circuit was built, and how it ended if not.
func (r *raw) built(id string) (ok bool, end string) {
	r.t.Helper()
	for {
		event := r.event(wait, "650 CIRC "+id+" ")
		words := strings.Fields(event)
		switch {
		case len(words) < 4:
			return false, "no event of it"
		case words[3] == "BUILT":
			return true, ""
		case words[3] == "FAILED" || words[3] == "CLOSED":
			return false, event
		}
	}
}
