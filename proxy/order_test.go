package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"pgregory.net/rapid"
)

// Whatever a controller pipelines, however its bytes and tor's are cut, and
// whenever events come: replies have the order of the commands, and events
// stand between whole replies.
func TestOrder(t *testing.T) {
	tor := startFakeTor(t, func(cmd controlspec.Command) string {
		switch cmd.Name {
		case "LONG":
			return "250-" + strings.Repeat(cmd.Args, 3000) + "\r\n250 OK\r\n"
		case "DATA":
			return "250+x=\r\n" + strings.Repeat(cmd.Args+"\r\n..\r\n250 OK\r\n", 50) + ".\r\n250 OK\r\n"
		case "EVENT":
			return "650 BW 1 1\r\n250 " + cmd.Args + "\r\n650-CONF_CHANGED\r\n650-A=b\r\n650 OK\r\n"
		case "ERROR":
			return "552-a\r\n552 " + cmd.Args + "\r\n"
		}
		return ok(cmd)
	})
	e := newEngine()
	guarded := with(tor.addr, e)
	guarded.Access = mirror{}
	paths := []string{serve(t, with(tor.addr, e)), serve(t, guarded)}
	kinds := []func(n int) (send, want string){
		func(n int) (string, string) { return fmt.Sprintf("OK %d", n), "250 OK\r\n" },
		func(n int) (string, string) {
			return fmt.Sprintf("GETINFO k%d", n), fmt.Sprintf("250-k%d=tor's\r\n250 OK\r\n", n)
		},
		func(n int) (string, string) {
			return fmt.Sprintf("LONG %d", n), "250-" + strings.Repeat(fmt.Sprint(n), 3000) + "\r\n250 OK\r\n"
		},
		func(n int) (string, string) {
			return fmt.Sprintf("DATA %d", n), "250+x=\r\n" + strings.Repeat(fmt.Sprintf("%d\r\n..\r\n250 OK\r\n", n), 50) + ".\r\n250 OK\r\n"
		},
		func(n int) (string, string) { return fmt.Sprintf("EVENT %d", n), fmt.Sprintf("250 %d\r\n", n) },
		func(n int) (string, string) { return fmt.Sprintf("ERROR %d", n), fmt.Sprintf("552-a\r\n552 %d\r\n", n) },
		func(n int) (string, string) { return fmt.Sprintf("+X %d\r\n%s\r\n.", n, paid), "250 OK\r\n" },
		func(int) (string, string) { return paid, "250 EXTENDED 7\r\n" },
		func(int) (string, string) { return "GETINFO tops/version", "250-tops/version=0.1\r\n250 OK\r\n" },
		func(n int) (string, string) {
			return fmt.Sprintf("GETINFO a%d tops/paystreams b%d tops/version", n, n),
				fmt.Sprintf("250-a%d=tor's\r\n250+tops/paystreams=\r\none\r\n..two\r\n.\r\n250-b%d=tor's\r\n250-tops/version=0.1\r\n250 OK\r\n", n, n)
		},
		func(int) (string, string) { return "SETEVENTS PAYSTREAM BW", "250 OK\r\n" },
		func(int) (string, string) { return "SETEVENTS BW", "250 OK\r\n" },
		func(int) (string, string) { return "USEFEATURE PAYMENT_TERMS", "250 OK\r\n" },
		func(int) (string, string) { return "GETINFO a\rb", "500 Syntax error: bare CR in a command\r\n" },
		func(int) (string, string) { return "GETINFO tops/x", "552 Unrecognized key \"tops/x\"\r\n" },
	}
	rapid.Check(t, func(rt *rapid.T) {
		send, want := "AUTHENTICATE\r\n", []string{"250 OK\r\n"}
		for i, k := range rapid.SliceOfN(rapid.IntRange(0, len(kinds)-1), 1, 40).Draw(rt, "commands") {
			s, w := kinds[k](i)
			send, want = send+s+"\r\n", append(want, w)
		}
		cut := rapid.IntRange(1, len(send)).Draw(rt, "cut")
		c := dial(t, rapid.SampledFrom(paths).Draw(rt, "path"))
		defer c.Close()
		go func() {
			for rest := send + "QUIT\r\n"; rest != ""; {
				n := min(cut, len(rest))
				if _, err := c.Write([]byte(rest[:n])); err != nil {
					return
				}
				rest = rest[n:]
				e.emit(event)
			}
		}()
		want = append(want, "250 closing connection\r\n")
		var (
			s   controlspec.Scanner
			got string
		)
		for p := c.rest(); len(p) > 0; {
			l := s.Next(p)
			if len(l.Raw) == 0 {
				rt.Fatalf("the stream ends in %q", p)
			}
			p = p[len(l.Raw):]
			if l.Async {
				continue
			}
			if got += string(l.Raw); !l.End {
				continue
			}
			if len(want) == 0 || got != want[0] {
				rt.Fatalf("got %.200q, want %.200q", got, append(want, "the end")[0])
			}
			got, want = "", want[1:]
		}
		if len(want) > 0 || !s.Whole() {
			rt.Fatalf("%d replies are missing", len(want))
		}
	})
}

// Who says nothing that is ours, or refused, gets what a direct connection
// gives; also with a guard that has everything in its hands.
func FuzzTransparent(f *testing.F) {
	tor := startFakeTor(f, ok)
	guarded := with(tor.addr, newEngine())
	guarded.Access = mirror{}
	paths := []string{tor.addr, serve(f, with(tor.addr, newEngine())), serve(f, guarded)}
	f.Add([]byte("AUTHENTICATE\r\n+LOADCONF\nx\r\n..\n.\r\nGETINFO a b\nquit\r\nFOO\r\n"))
	f.Add([]byte("+x\n+x\n.\n.\n \n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := controlspec.NewCommandReader(bytes.NewReader(in))
		for {
			cmd, err := r.ReadCommand()
			if err == controlspec.ErrBareCR || err == controlspec.ErrNUL {
				return
			}
			if err != nil {
				break
			}
			switch cmd.Name { // not transparent
			case "ATTACHSTREAM", "EXTENDCIRCUIT", "EXTENDPAIDCIRCUIT", "SETEVENTS", "USEFEATURE", "SETCIRCUITPURPOSE", "HSPOST":
				return
			}
			if strings.Contains(cmd.Args, "tops/") || strings.Contains(strings.ToUpper(cmd.Args), "PAYMENT") {
				return
			}
		}
		var got [3][]byte
		for i, p := range paths {
			c := dial(t, p)
			go func() {
				c.Write(in)
				c.Conn.(*net.UnixConn).CloseWrite()
			}()
			got[i], _ = io.ReadAll(c.r) // a reset may end it, after QUIT
			c.Close()
		}
		if !bytes.Equal(got[0], got[1]) || !bytes.Equal(got[0], got[2]) {
			t.Fatalf("direct %q\nproxied %q\nguarded %q", got[0], got[1], got[2])
		}
	})
}

// Whatever tor says passes unchanged, also where events are looked into and
// ours come between; and ours come whole, at the beginning of a line.
func FuzzFromTor(f *testing.F) {
	var mu sync.Mutex
	var said []byte
	tor := startFakeTor(f, func(cmd controlspec.Command) string {
		if cmd.Name != "FUZZ" {
			return ok(cmd)
		}
		mu.Lock()
		defer mu.Unlock()
		return string(said)
	})
	e := newEngine()
	path := serve(f, with(tor.addr, e))
	f.Add([]byte("650 CIRC 8 BUILT $A\r\n650+NS\r\n..\r\n.\r\n650 OK\r\n250-a=b\r\n250 OK\r\n"))
	f.Add([]byte("250+a\r\n650 CIRC 9 BUILT\r\n"))
	f.Add([]byte("6\r\n65\n650"))
	f.Add([]byte("650 CIRC 9 EXTENDED " + strings.Repeat("x", 40_000) + "\r\n250 OK"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if bytes.Contains(in, []byte("CIRC 7 ")) || bytes.Contains(in, []byte("PAYSTREAM")) {
			return // terms are added; ours are told by their name
		}
		mu.Lock()
		said = in
		mu.Unlock()
		c := dial(t, path)
		defer c.Close()
		c.send("AUTHENTICATE\r\nSETEVENTS PAYSTREAM\r\nUSEFEATURE PAYMENT_TERMS\r\nGETINFO x\r\n")
		c.want("250 OK\r\n250 OK\r\n250 OK\r\n250-x=tor's\r\n250 OK\r\n")
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 5 {
				e.emit(event)
			}
		}()
		c.send("FUZZ\r\nQUIT\r\n")
		out, err := io.ReadAll(c.r)
		if err != nil {
			t.Fatal(err)
		}
		<-done
		for _, line := range strings.SplitAfter(string(out), "\n") {
			if strings.Contains(line, "PAYSTREAM") && line != eventLine {
				t.Fatalf("%q within a line of tor's", line)
			}
		}
		want := string(in) + "250 closing connection\r\n"
		if got := strings.ReplaceAll(string(out), eventLine, ""); got != want {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	})
}
