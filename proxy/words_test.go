package proxy_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/proxy"
)

var (
	fpA  = strings.Repeat("A", 40)
	fpB  = strings.Repeat("B", 40)
	paid = "EXTENDPAIDCIRCUIT 0 $" + strings.ToLower(fpA) + "," + fpB
)

// with returns a Server with every feature of e.
func with(upstream string, e *engine) *proxy.Server {
	return &proxy.Server{Dial: proxy.Dialer("unix:" + upstream), Engine: e, Terms: e, Conf: e, Attach: e, Upgrade: e}
}

// What one writes and what one reads then, on a real tor. Commands are sent in
// one write, so that the order of replies is tried as well.
func TestWordsOnTor(t *testing.T) {
	tor := startTor(t)
	self := fpA + " " + strings.Repeat("0", 64) + strings.Repeat("1", 64)
	other := fpB + " " + strings.Repeat("2", 64) + strings.Repeat("3", 64)
	for i := range controlspec.PaidRounds {
		self += strings.Repeat(string("456789abcd"[i]), 64)
		other += strings.Repeat("e", 63) + string("0123456789"[i])
	}
	direct := dial(t, tor.unix)
	direct.send("AUTHENTICATE\r\nGETINFO version\r\nQUIT\r\n")
	all, err := io.ReadAll(direct.r)
	if err != nil {
		t.Fatal(err)
	}
	version := string(all[len("250 OK\r\n") : len(all)-len("250 closing connection\r\n")])
	versionLine, _ := strings.CutSuffix(version, "250 OK\r\n")
	for _, tt := range []struct{ name, send, want string }{
		{"extend", paid, "250 EXTENDED 7\r\n"},
		{"extend in lower case", strings.ToLower(paid), "250 EXTENDED 7\r\n"},
		{"extend among tor's", "GETINFO version\r\n" + paid + "\r\nGETINFO version\r\n" + paid, version + "250 EXTENDED 7\r\n" + version + "250 EXTENDED 7\r\n"},
		{"extend no path", "EXTENDPAIDCIRCUIT 0", "512 Missing argument to EXTENDPAIDCIRCUIT: expected a path of fingerprints\r\n"},
		{"extend one hop", "EXTENDPAIDCIRCUIT 0 " + fpA, "512 A paid circuit has 2 to 8 hops, not 1\r\n"},
		{"extend other circuit", "EXTENDPAIDCIRCUIT 5 " + fpA + "," + fpB, "552 A paid circuit is built whole: the circuit id must be 0\r\n"},
		{"extend block", "+EXTENDPAIDCIRCUIT 0\r\n" + self + "\r\n" + other + "\r\n.\r\nGETINFO version", "250 EXTENDED 8\r\n" + version},
		{"extend bad block", "+EXTENDPAIDCIRCUIT 0\r\nx\r\ny\r\n.\r\nGETINFO version", "512 Hop 1: \"X\" is not a fingerprint of 40 hex digits\r\n" + version},
		{"extend huge block", "+EXTENDPAIDCIRCUIT 0\r\n" + strings.Repeat("x\r\n", 20000) + ".\r\nGETINFO version", "512 The data block of EXTENDPAIDCIRCUIT is malformed or above 16384 bytes\r\n" + version},
		{"words within tor's data", "+FOO\r\n" + paid + "\r\n" + "..\r\n.\r\n" + paid, "510 Unrecognized command \"+FOO\"\r\n250 EXTENDED 7\r\n"},
		{"events ours", "SETEVENTS PAYSTREAM\r\nSETEVENTS PAYMENT_ID_HASH_RECEIVED paystream", "250 OK\r\n250 OK\r\n"},
		{"events mixed", "SETEVENTS CIRC PAYSTREAM SIGNAL\r\nGETINFO version", "250 OK\r\n" + version},
		{"events unknown", "SETEVENTS PAYSTREAM NONSENSE", "552 Unrecognized event \"NONSENSE\"\r\n"},
		{"feature", "USEFEATURE PAYMENT_TERMS\r\nUSEFEATURE VERBOSE_NAMES payment_terms", "250 OK\r\n250 OK\r\n"},
		{"feature unknown", "USEFEATURE PAYMENT_TERMS NONSENSE", "552 Unrecognized feature \"NONSENSE\"\r\n"},
		{"info", "GETINFO tops/version", "250-tops/version=0.1\r\n250 OK\r\n"},
		{"info mixed", "GETINFO tops/version version tops/paystreams config-text tops/version\r\nGETINFO version",
			"250-tops/version=0.1\r\n" + versionLine + "250+tops/paystreams=\r\none\r\n..two\r\n.\r\n"},
		{"info unknown", "GETINFO version tops/nonsense", "552 Unrecognized key \"tops/nonsense\"\r\n"},
		{"info unknown to tor", "GETINFO tops/version nonsense", "552 Unrecognized key \"nonsense\"\r\n"},
		{"info failing", "GETINFO tops/broken", "551 Internal error of tops, see its log\r\n"},
		{"info refused", "GETINFO tops/refused", "552 No such pay stream\r\n"},
		{"getconf", "GETCONF paymentratemsats", "250 PaymentRateMsats=1000\r\n"},
		{"getconf mixed", "GETCONF SocksPort PaymentBip353 DisableNetwork ContactInfo PaymentRateMsats",
			"250-SocksPort=0\r\n250-PaymentBip353\r\n250-DisableNetwork=1\r\n250-ContactInfo\r\n250 PaymentRateMsats=1000\r\n"},
		{"getconf unknown", "GETCONF SocksPort PaymentNonsense", "552 Unrecognized configuration key \"PaymentNonsense\"\r\n"},
		{"getconf unknown to tor", "GETCONF Nonsense PaymentBip353", "552 Unrecognized configuration key \"Nonsense\"\r\n"},
		{"setconf mixed", "SETCONF ContactInfo=\"a b\" PaymentBip353=\"u@ex ample\"\r\nGETCONF PaymentBip353 ContactInfo\r\nRESETCONF PaymentBip353 ContactInfo\r\nGETCONF PaymentBip353 ContactInfo",
			"250 OK\r\n250-PaymentBip353=u@ex ample\r\n250 ContactInfo=a b\r\n250 OK\r\n250-PaymentBip353\r\n250 ContactInfo\r\n"},
		{"setconf all or none", "SETCONF PaymentBip353=x Nonsense=1\r\nGETCONF PaymentBip353", "552 Unrecognized option: Unknown option 'Nonsense'.  Failing.\r\n250 PaymentBip353\r\n"},
		{"attach", "ATTACHSTREAM 3 7\r\nATTACHSTREAM 3 7 HOP=2\r\nATTACHSTREAM 3 0", "551 The exit of paid circuit 7 takes streams to its gateway only: use the tops SOCKS port, user name circ=7\r\n552 Unknown stream \"3\"\r\n552 Unknown stream \"3\"\r\n"},
		{"upgrade", "EXTENDCIRCUIT 0 a,b\r\nEXTENDCIRCUIT 0 foo\r\nEXTENDCIRCUIT 5 a,b", "250 EXTENDED 9\r\n552 No such router \"foo\"\r\n552 Unknown circuit \"5\"\r\n"},
		{"bare CR", "GETINFO a\rb\r\n+FOO a\rb\r\nGETINFO version\r\n.\r\nGETINFO version", "500 Syntax error: bare CR in a command\r\n500 Syntax error: bare CR in a command\r\n" + version},
		{"what tor dies of", "SETCIRCUITPURPOSE \r\nGETINFO version\r\nSETCIRCUITPURPOSE 1 purpose=x", "512 Bad arguments to SETCIRCUITPURPOSE: Need at least 1 argument(s)\r\n" + version + "552 Unknown circuit \"1\"\r\n"},
		{"NUL", "GETINFO version\x00x\r\nGETINFO version", "500 Syntax error: NUL in a command\r\n" + version},
		// tor answers the first of these with nothing.
		{"hspost", "+HSPOST\r\nx\r\n.\r\nGETINFO version\r\n" + paid + "\r\n+HSPOST HSADDRESS=x\r\nx\r\n.\r\n" + paid + "\r\nGETINFO version", version + "250 EXTENDED 7\r\n512 Malformed onion address\r\n250 EXTENDED 7\r\n" + version},
		{"quit", "QUIT\r\n" + paid, "250 closing connection\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine()
			c := dial(t, serve(t, with(tor.unix, e)))
			c.send("AUTHENTICATE\r\n" + tt.send + "\r\n")
			c.want("250 OK\r\n" + tt.want)
			if tt.name == "quit" {
				c.wantEOF("")
				if e.calls() != 0 {
					t.Error("a command after QUIT was obeyed")
				}
			}
		})
		t.Run(tt.name+" byte by byte", func(t *testing.T) {
			if len(tt.send) > 5000 {
				return
			}
			c := dial(t, serve(t, with(tor.unix, newEngine())))
			in := iotest.OneByteReader(strings.NewReader("AUTHENTICATE\r\n" + tt.send + "\r\n"))
			go func() {
				var b [1]byte
				for {
					if _, err := in.Read(b[:]); err != nil {
						return
					}
					if _, err := c.Write(b[:]); err != nil {
						return
					}
				}
			}()
			c.want("250 OK\r\n" + tt.want)
		})
	}
}

// Names of tor's that are mixed with ours reach tor, and so does their absence.
func TestSetEventsReachesTor(t *testing.T) {
	c := dial(t, serve(t, with(startTor(t).unix, newEngine())))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.ask("SETEVENTS CONF_CHANGED PAYSTREAM", "250 OK\r\n")
	c.ask("SETCONF ContactInfo=a", "250 OK\r\n")
	c.want("650-CONF_CHANGED\r\n650-ContactInfo=a\r\n650 OK\r\n")
	c.ask("SETEVENTS PAYSTREAM", "250 OK\r\n")
	c.ask("SETCONF ContactInfo=b", "250 OK\r\n")
	c.ask("QUIT", "250 closing connection\r\n")
	c.wantEOF("")
}

// Nothing of ours is said or done before tor has let the controller in.
func TestBeforeAuthentication(t *testing.T) {
	tor := startTor(t, "CookieAuthentication 1")
	for _, tt := range []struct{ name, send, want string }{
		{"word first", paid + "\r\n", "514 Authentication required.\r\n"},
		{"info first", "GETINFO tops/version\r\n", "514 Authentication required.\r\n"},
		{"bad password", "AUTHENTICATE \"x\"\r\n" + paid + "\r\n", "515 Authentication failed: Wrong length on authentication cookie.\r\n"},
		{"bare CR", "FOO\rx\r\n", "514 Authentication required.\r\n"},
		{"block", "+AUTHENTICATE\r\n.\r\n" + paid + "\r\n", "514 Authentication required.\r\n"},
		{"NUL", "PROTOCOLINFO\x00 1\r\n" + paid + "\r\n", "250-PROTOCOLINFO 1\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine()
			c := dial(t, serve(t, with(tor.unix, e)))
			c.send(tt.send)
			c.want(tt.want)
			if tt.name != "NUL" {
				c.wantEOF("")
			} else if rest, _ := c.r.ReadString('x'); !strings.HasSuffix(rest, "514 Authentication required.\r\n") {
				t.Errorf("rest %q", rest)
			}
			if e.calls() != 0 {
				t.Error("the engine was called")
			}
		})
	}
}

// Without an engine tor answers, as it would without us.
func TestNoEngine(t *testing.T) {
	tor := startTor(t)
	c := dial(t, serve(t, &proxy.Server{Dial: proxy.Dialer("unix:" + tor.unix)}))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.ask(paid, "510 Unrecognized command \"EXTENDPAIDCIRCUIT\"\r\n")
	c.ask("SETEVENTS PAYSTREAM", "552 Unrecognized event \"PAYSTREAM\"\r\n")
	c.ask("GETINFO tops/version", "552 Unrecognized key \"tops/version\"\r\n")
}

// Events go on while a circuit is being paid for; replies wait their turn.
func TestEventsDuringExtend(t *testing.T) {
	tor := startFakeTor(t, ok)
	e := newEngine()
	release := make(chan struct{})
	e.extend = func(ctx context.Context, _ []string) (string, error) {
		tor.say(t, "650 CIRC 7 LAUNCHED\r\n")
		<-release
		return "", errors.New("secret")
	}
	reported := make(chan error, 1)
	srv := with(tor.addr, e)
	srv.OnError = func(_ proxy.Controller, err error) { reported <- err }
	c := dial(t, serve(t, srv))
	c.send("AUTHENTICATE\r\n" + paid + "\r\nGETINFO version\r\n")
	c.want("250 OK\r\n650 CIRC 7 LAUNCHED\r\n")
	close(release)
	c.want("551 Internal error of tops, see its log\r\n250-version=tor's\r\n250 OK\r\n")
	if err := <-reported; err.Error() != "secret" {
		t.Errorf("reported %v", err)
	}
}

func TestPayStreamEvents(t *testing.T) {
	tor := startFakeTor(t, ok)
	e := newEngine()
	path := serve(t, with(tor.addr, e))
	c, deaf := dial(t, path), dial(t, path)
	deaf.ask("AUTHENTICATE", "250 OK\r\n")
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.ask("SETEVENTS PAYSTREAM PAYMENT_ID_HASH_RECEIVED", "250 OK\r\n")
	e.emit(event)
	c.want(eventLine)
	for _, s := range []controlspec.PayStreamStatus{"TERMS", "INTENT", "FREE", "DUE", "PAYING", "PAID", "HELD", "LATE", "REFUSED", "COMPLETED", "CLOSED"} {
		ev := event
		ev.Status = s
		e.emit(ev)
		c.want(strings.Replace(eventLine, " PAID ", " "+string(s)+" ", 1))
	}

	// Within a reply or event of tor's ours wait for its end.
	for _, parts := range [][]string{
		{"250-a\r\n", "250 OK\r\n"},
		{"250+a=\r\n", "650 x\r\n", ".", "\r\n250 O", "K\r\n"},
		{"650-CONF_CHANGED\r\n", "650-a=b\r\n65", "0 OK\r", "\n"},
		{"650 CI", "RC\r\n"},
	} {
		whole := strings.Join(parts, "")
		for i, p := range parts {
			tor.say(t, p)
			if i == 0 {
				c.want(p) // so it has passed before ours is posted
				whole = whole[len(p):]
				e.emit(event)
			}
		}
		c.want(whole + strings.Repeat(eventLine, 1))
	}

	e.mu.Lock()
	for _, f := range e.received {
		f(controlspec.ReceivedEvent{Handle: event.Handle, Rounds: 10})
	}
	e.mu.Unlock()
	c.want("650 PAYMENT_ID_HASH_RECEIVED HANDLE=ebf064b1c7877810 ROUNDS=10\r\n")

	c.ask("SETEVENTS CIRC", "250 OK\r\n")
	if n := e.emit(event); n != 0 {
		t.Errorf("%d subscribers after SETEVENTS without PAYSTREAM", n)
	}
	c.ask("GETINFO x", "250-x=tor's\r\n250 OK\r\n")
	deaf.send("QUIT\r\n")
	deaf.r.ReadString('Q') // all that it heard
}

// The answer to SETEVENTS stands where the list changes: what was heard by the old
// one comes before it, what is heard by the new one behind it, and nothing is lost.
func TestSetEventsIsAnsweredInItsPlace(t *testing.T) {
	tor := startFakeTor(t, ok)
	e := newEngine()
	e.beginning = func(f func(controlspec.PayStreamEvent)) { f(event) }
	e.ending = e.beginning
	c := dial(t, serve(t, with(tor.addr, e)))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	for range 100 {
		c.ask("SETEVENTS PAYSTREAM CIRC", "250 OK\r\n"+eventLine)
		c.ask("SETEVENTS CIRC", "250 OK\r\n")
	}
	c.ask("GETINFO x", "250-x=tor's\r\n250 OK\r\n")
}

func TestCircuitTerms(t *testing.T) {
	tor := startFakeTor(t, ok)
	c := dial(t, serve(t, with(tor.addr, newEngine())))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	tor.say(t, "650 CIRC 7 BUILT $A\r\n")
	c.want("650 CIRC 7 BUILT $A\r\n")
	c.ask("USEFEATURE PAYMENT_TERMS", "250 OK\r\n")
	terms := ` PAYMENT_TERMS_2="tops:1 a" PAYMENT_TERMS_3="tops:1 b"`
	long := "650 CIRC 7 BUILT " + strings.Repeat("x", 100_000) + "\r\n"
	for in, want := range map[string]string{
		"650 CIRC 7 BUILT $A PURPOSE=GENERAL\r\n":       "650 CIRC 7 BUILT $A PURPOSE=GENERAL" + terms + "\r\n",
		"650 CIRC 7 EXTENDED\n":                         "650 CIRC 7 EXTENDED" + terms + "\n",
		"650 CIRC 7 CLOSED $A\r\n":                      "650 CIRC 7 CLOSED $A\r\n",
		"650 CIRC 8 BUILT $A\r\n":                       "650 CIRC 8 BUILT $A\r\n",
		"650 CIRC_MINOR 7 BUILT $A\r\n":                 "650 CIRC_MINOR 7 BUILT $A\r\n",
		"650+NS\r\n650 CIRC 7 BUILT\r\n.\r\n650 OK\r\n": "650+NS\r\n650 CIRC 7 BUILT\r\n.\r\n650 OK\r\n",
		long: long,
	} {
		tor.say(t, in)
		c.want(want)
		for _, b := range []byte(in[:min(len(in), 100)]) {
			tor.say(t, string(b))
		}
		tor.say(t, in[min(len(in), 100):])
		c.want(want)
	}
}
