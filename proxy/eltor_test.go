package proxy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/proxy"
)

// fork is a double of El Tor's tor with three relays.
func fork(t testing.TB) (client *eltorsim.Tor, path []string) {
	t.Helper()
	w, err := eltorsim.NewWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	for _, name := range []string{"guard", "middle", "exit"} {
		r, err := w.AddRelay(name, eltorsim.B)
		if err != nil {
			t.Fatal(err)
		}
		path = append(path, r.Fingerprint)
	}
	if client, err = w.AddClient(eltorsim.B); err != nil {
		t.Fatal(err)
	}
	return client, path
}

// block is an EXTENDPAIDCIRCUIT with a line for each of a path.
func block(path ...string) string {
	text := "+EXTENDPAIDCIRCUIT 0\r\n"
	for _, fp := range path {
		text += fp + " " + eltor.NewPayload().String() + "\r\n"
	}
	return text + ".\r\n"
}

// TestForkUnaided: a proxy with no engine at all, in front of what dies of bad
// commands.
func TestForkUnaided(t *testing.T) {
	tor, path := fork(t)
	unknown := strings.Repeat("A", 40)
	c := dial(t, serve(t, &proxy.Server{Dial: proxy.Dialer("unix:" + tor.Address)}))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	good := eltor.NewPayload().String()
	for _, x := range []struct{ say, want string }{
		{"EXTENDPAIDCIRCUIT 0\r\n", "512 "},
		{"EXTENDPAIDCIRCUIT 0 " + strings.Join(path, ",") + "\r\n", "551 This tops pays nobody"},
		{"+EXTENDPAIDCIRCUIT 5\r\n" + path[0] + " " + good + "\r\n.\r\n", "552 "},
		{"+EXTENDPAIDCIRCUIT\r\nx\r\n.\r\n", "512 "},
		{"+EXTENDPAIDCIRCUIT 0\r\n.\r\n", "512 "},
		{"+extendpaidcircuit 0\r\nnonsense\r\n.\r\n", "512 "},
		{block(path[0]), "512 "},
		{block(path[0], path[0], path[1]), "512 "},
		{block(path[0], path[1], unknown), `552 No such router "AAAA`},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + path[0] + " " + good + "\r\n" + path[1] + " " + good[1:] + "\r\n.\r\n", "512 "},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + path[0] + " " + good + "\r\n" + path[1] + " " + good + "0\r\n.\r\n", "512 "},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + path[0] + " " + good + "\r\n" + path[1] + " x" + good[1:] + "\r\n.\r\n", "512 "},
		{"+EXTENDPAIDCIRCUIT 0\r\n" + path[0] + " " + good + "\r\x00\r\n.\r\n", "512 "},
	} {
		c.send(x.say)
		line, err := c.r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, x.want) {
			t.Fatalf("%.60q: %q, %v; want %q", x.say, line, err, x.want)
		}
	}
	c.send(strings.ToLower(block(path...)))
	c.want("250 EXTENDED 1\r\n")
	for _, heard := range tor.Heard() {
		if strings.Contains(heard, "EXTENDPAID") && !strings.HasPrefix(heard, "+EXTENDPAIDCIRCUIT 0\r\n"+path[0]) {
			t.Errorf("tor was told %.60q", heard)
		}
	}
	if why := tor.Died(); why != "" {
		t.Errorf("tor died: %s", why)
	}
}

// TestNoForkUnaided: any other tor is asked as it always was.
func TestNoForkUnaided(t *testing.T) {
	f := startFakeTor(t, func(cmd controlspec.Command) string {
		if cmd.Name == "EXTENDPAIDCIRCUIT" {
			return fmt.Sprintf("510 Unrecognized command, with %d bytes\r\n", len(cmd.Data))
		}
		return ok(cmd)
	})
	c := dial(t, serve(t, &proxy.Server{Dial: proxy.Dialer("unix:" + f.addr)}))
	c.ask("AUTHENTICATE", "250 OK\r\n")
	c.send("+EXTENDPAIDCIRCUIT 5\r\nnonsense\r\n.\r\n")
	c.want("510 Unrecognized command, with 9 bytes\r\n")
}

// TestWalletRedacted: no controller learns what a wallet's password is.
func TestWalletRedacted(t *testing.T) {
	const secret = "type=phoenixd url=https://w.example password=hunter2 default=true"
	f := startFakeTor(t, func(cmd controlspec.Command) string {
		switch {
		case cmd.Name == "GETCONF":
			return "250-ContactInfo=me\r\n250-PaymentLightningNodeConfig=" + secret + "\r\n250 PaymentLightningNodeConfig=\"type=lnd macaroon=hunter2\"\r\n"
		case cmd.Args == "config-text":
			return "250+config-text=\r\nPaymentLightningNodeConfig " + secret + "\r\nSocksPort 9050\r\n.\r\n250 OK\r\n"
		}
		return ok(cmd)
	})
	const one = "PaymentLightningNodeConfig=type=phoenixd default=true [redacted]\r\n"
	for name, srv := range map[string]*proxy.Server{
		"alone":  {},
		"engine": {Engine: infoEngine{}},
	} {
		t.Run(name, func(t *testing.T) {
			srv.Dial = proxy.Dialer("unix:" + f.addr)
			c := dial(t, serve(t, srv))
			c.ask("AUTHENTICATE", "250 OK\r\n")
			for _, key := range []string{"ContactInfo PaymentLightningNodeConfig", "paymentlightningnodeconfig", "Payment"} {
				c.ask("GETCONF "+key, "250-ContactInfo=me\r\n250-"+one+"250 PaymentLightningNodeConfig=type=lnd [redacted]\r\n")
			}
			c.ask("GETINFO config-text", "250+config-text=\r\n"+strings.Replace(one, "=", " ", 1)+"SocksPort 9050\r\n.\r\n250 OK\r\n")
			c.send("GETINFO config-text\r\nGETINFO version\r\n")
			c.want("250+config-text=\r\n" + strings.Replace(one, "=", " ", 1) + "SocksPort 9050\r\n.\r\n250 OK\r\n250-version=tor's\r\n250 OK\r\n")
			if name == "engine" {
				c.ask("GETINFO tops/version config-text", "250-tops/version=1\r\n250+config-text=\r\n"+strings.Replace(one, "=", " ", 1)+"SocksPort 9050\r\n.\r\n250 OK\r\n")
			}
		})
	}
}

// TestWalletRedactedInEvents: nor when somebody changes it, however the event comes, and
// whoever else looks at events.
func TestWalletRedactedInEvents(t *testing.T) {
	const (
		said = "650 BW 1 2\r\n650-CONF_CHANGED\r\n650-ContactInfo=me\r\n650-paymentlightningnodeconfig=\"type=lnd macaroon=hunter2\"\r\n" +
			"650-PaymentLightningNodeConfig=type=phoenixd password=hunter2 default=true\r\n650-PaymentLightningNodeConfig\r\n650 OK\r\n" +
			"650 CIRC 7 LAUNCHED\r\n"
		told = "650-CONF_CHANGED\r\n650-ContactInfo=me\r\n650-paymentlightningnodeconfig=type=lnd [redacted]\r\n" +
			"650-PaymentLightningNodeConfig=type=phoenixd default=true [redacted]\r\n650-PaymentLightningNodeConfig\r\n650 OK\r\n"
	)
	for name, x := range map[string]struct {
		srv  *proxy.Server
		want string
	}{
		"alone":   {&proxy.Server{}, "650 BW 1 2\r\n" + told + "650 CIRC 7 LAUNCHED\r\n"},
		"engine":  {&proxy.Server{Engine: infoEngine{}}, "650 BW 1 2\r\n" + told + "650 CIRC 7 LAUNCHED\r\n"},
		"profile": {&proxy.Server{Access: profiles(t, mail)}, told}, // the others are not this controller's
	} {
		t.Run(name, func(t *testing.T) {
			f := startFakeTor(t, ok)
			x.srv.Dial = proxy.Dialer("unix:" + f.addr)
			c := dial(t, serve(t, x.srv))
			c.ask("AUTHENTICATE", "250 OK\r\n")
			c.ask("SETEVENTS CONF_CHANGED", "250 OK\r\n")
			f.say(t, said)
			c.want(x.want)
			for i := range len(said) {
				f.say(t, said[i:i+1])
			}
			c.want(x.want)
			c.ask("GETINFO version", "250-version=tor's\r\n250 OK\r\n")
		})
	}
}

// infoEngine knows its version and no more.
type infoEngine struct{}

func (infoEngine) ExtendPaidCircuit(context.Context, proxy.Controller, []string) (string, error) {
	return "", controlspec.Errorf(551, "no")
}
func (infoEngine) Info(context.Context, string) (string, bool, error)         { return "1", true, nil }
func (infoEngine) Subscribe(func(controlspec.PayStreamEvent)) (cancel func()) { return func() {} }

// FuzzForkUnaided: whatever a controller says, the double lives.
func FuzzForkUnaided(f *testing.F) {
	tor, path := fork(f)
	addr := serve(f, &proxy.Server{Dial: proxy.Dialer("unix:" + tor.Address)})
	f.Add("+EXTENDPAIDCIRCUIT 0\r\nx\r\n.\r\n")
	f.Add("EXTENDPAIDCIRCUIT 7\r\n")
	f.Add("\t+extendPaidCircuit 0\r\n.\r\n")
	f.Add("+EXTENDPAIDCIRCUIT\v0\r\n" + path[0] + " " + eltor.NewPayload().String() + "\r\n.\r\n")
	f.Add("+EXTENDPAIDCIRCUIT 0 0\n" + path[0] + "\n.\n+EXTENDPAIDCIRCUIT 1\n.\n")
	f.Add(block(path...) + block(path[0]) + block(strings.Repeat("B", 40), path[1]))
	f.Fuzz(func(t *testing.T, text string) {
		c := dial(t, addr)
		defer c.Close()
		c.ask("AUTHENTICATE", "250 OK\r\n")
		c.send(text + "\r\n.\r\nQUIT\r\n")
		if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
			cw.CloseWrite()
		}
		for {
			if _, err := c.r.ReadByte(); err != nil {
				break
			}
		}
		if why := tor.Died(); why != "" {
			t.Fatalf("%q killed tor: %s", text, why)
		}
	})
}
