package controlspec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/google/go-cmp/cmp"
)

func TestUnquote(t *testing.T) {
	for _, tt := range []struct{ in, value, rest string }{
		{`""`, "", ""},
		{`"a b" c`, "a b", " c"},
		{`"bob \"q\\"`, `bob "q\`, ""},
		{`"\n\r\t\1\101\x41\q"`, "\n\r\t\x01AAq", ""},
		{`"\377\0"`, "\xff\x00", ""},
	} {
		value, rest, err := controlspec.Unquote(tt.in)
		if err != nil || value != tt.value || rest != tt.rest {
			t.Errorf("Unquote(%s) = %q, %q, %v", tt.in, value, rest, err)
		}
	}
	for _, bad := range []string{``, `a`, `"`, `"a`, `"a\`, `"a\"`, `"\400"`} {
		if v, _, err := controlspec.Unquote(bad); err == nil {
			t.Errorf("Unquote(%s) = %q, want an error", bad, v)
		}
	}
}

func TestParseArgs(t *testing.T) {
	got, err := controlspec.ParseArgs(`43  NEW K="a \"b" $FP=nick __Leave=1 x= "quoted word" tops/x=1`)
	want := []controlspec.Arg{
		{Value: "43"}, {Value: "NEW"}, {Key: "K", Value: `a "b`, HasKey: true, Quoted: true}, {Value: "$FP=nick"},
		{Key: "__Leave", Value: "1", HasKey: true}, {Key: "x", HasKey: true}, {Value: "quoted word", Quoted: true},
		{Key: "tops/x", Value: "1", HasKey: true},
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	for _, bad := range []string{`K="a`, `K="a"b`, `"`} {
		if _, err := controlspec.ParseArgs(bad); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// As tor 0.4.9 writes it.
func TestParseStream(t *testing.T) {
	e, err := controlspec.ParseStream(`STREAM 43 NEW 0 198.18.0.20:8080 SOURCE_ADDR=127.0.0.1:59580 PURPOSE=USER SOCKS_USERNAME="bob \"q\\" SOCKS_PASSWORD="x y" CLIENT_PROTOCOL=SOCKS5`)
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != "43" || e.Status != "NEW" || e.CircID != "0" || e.Purpose != "USER" || e.Username != `bob "q\` || e.Password != "x y" {
		t.Errorf("%+v", e)
	}
	if a := e.Source(); a.String() != "127.0.0.1:59580" {
		t.Errorf("source %v", a)
	}
	for target, want := range map[string]string{"a.onion:80": "a.onion", "[::1]:80": "::1", "::1:80": "::1"} {
		e.Target = target
		if host, port, err := e.HostPort(); host != want || port != 80 || err != nil {
			t.Errorf("%s: %q %d %v", target, host, port, err)
		}
	}
	// Names that come by tor's HTTPTunnelPort and DNSPort may have anything in them.
	for _, target := range []string{"a=b.example:80", "a b.example:80", `a"b.example:80`, `"a.example:80`, `a "b.example:80`, "a SOURCE_ADDR=10.0.0.1:1.example:80"} {
		e, err := controlspec.ParseStream("STREAM 9 NEW 0 " + target + " SOURCE_ADDR=127.0.0.1:51310 PURPOSE=USER")
		if err != nil || e.ID != "9" || e.Status != "NEW" || e.CircID != "0" || !strings.HasPrefix(target, e.Target) {
			t.Errorf("%q: %+v, %v", target, e, err)
		}
		if a := e.SourceAddr; a != "127.0.0.1:51310" && a != "" {
			t.Errorf("%q: it comes from %q", target, a)
		}
	}
	for _, bad := range []string{"", "STREAM 1 NEW 0", "CIRC 1 BUILT a b c"} {
		if _, err := controlspec.ParseStream(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestParseCirc(t *testing.T) {
	a, b := strings.Repeat("A", 40), strings.Repeat("B", 40)
	e, err := controlspec.ParseCirc("CIRC 7 FAILED $" + a + "~nick,$" + strings.ToLower(b) + "=n BUILD_FLAGS=NEED_CAPACITY,IS_INTERNAL PURPOSE=GENERAL REASON=DESTROYED REMOTE_REASON=REQUESTED")
	want := []string{a, b}
	if err != nil || !cmp.Equal(e.Path, want) || e.Reason != "DESTROYED" || e.RemoteReason != "REQUESTED" || len(e.BuildFlags) != 2 {
		t.Errorf("%+v %v", e, err)
	}
	if e, err := controlspec.ParseCircStatus("1 LAUNCHED"); err != nil || e.ID != "1" || e.Path != nil {
		t.Errorf("%+v %v", e, err)
	}
}

func TestParseCircBW(t *testing.T) {
	e, err := controlspec.ParseCircBW("CIRC_BW ID=96 READ=1016473 WRITTEN=33085 TIME=2026-01-01T00:00:00 DELIVERED_READ=960248 OVERHEAD_READ=34258 DELIVERED_WRITTEN=1231 OVERHEAD_WRITTEN=31139 SS=1")
	want := controlspec.CircBWEvent{ID: "96", Read: 1016473, Written: 33085, DeliveredRead: 960248, OverheadRead: 34258, DeliveredWritten: 1231, OverheadWritten: 31139}
	if d := cmp.Diff(want, e); d != "" || err != nil {
		t.Error(err, d)
	}
	for _, bad := range []string{"CIRC_BW READ=1", "CIRC_BW ID=1 READ=-1", "CIRC_BW ID=1 READ=x"} {
		if _, err := controlspec.ParseCircBW(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestParseSignalAndConf(t *testing.T) {
	if s, err := controlspec.ParseSignal("SIGNAL reload"); s != "RELOAD" || err != nil {
		t.Errorf("%q %v", s, err)
	}
	rep, err := controlspec.ParseReply([]byte("650-CONF_CHANGED\r\n650-SocksPort=9050\r\n650-ContactInfo\r\n650-Log=\"a \\\"b\"\r\n650 OK\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := controlspec.ParseConfChanged(rep)
	want := []controlspec.ConfChange{{Key: "SocksPort", Value: "9050", Set: true}, {Key: "ContactInfo"}, {Key: "Log", Value: `a "b`, Set: true}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
}

var payStream = controlspec.PayStreamEvent{
	Handle: "ebf064b1c7877810", Status: controlspec.StatusClosed, CircID: "7", Hop: 3, Relay: strings.Repeat("A", 40),
	Round: 4, Rounds: 10, DueMsat: 1000, PaidMsat: 2000, FeeMsat: 3, Reason: "LATE",
}

func TestPayStream(t *testing.T) {
	const text = "PAYSTREAM ebf064b1c7877810 CLOSED CIRC=7 HOP=3 RELAY=$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ROUND=4/10 DUE_MSAT=1000 PAID_MSAT=2000 FEE_MSAT=3 REASON=LATE"
	if got := payStream.Marshal(); got != text {
		t.Errorf("%s\nwant %s", got, text)
	}
	got, err := controlspec.ParsePayStream(text + " LATER=1")
	if d := cmp.Diff(payStream, got); d != "" || err != nil {
		t.Error(err, d)
	}
	for _, swap := range [][2]string{
		{"ebf0", "EBF0"}, {"ebf0", ""}, {"CLOSED", "NONSENSE"}, {"CIRC=7", "CIRC=x"}, {"$A", "$a"}, {"4/10", "4"}, {"4/10", "-4/10"},
		{"MSAT=1000", "MSAT=1e3"}, {"HOP=3", ""}, {"PAYSTREAM", "STREAM"},
	} {
		if e, err := controlspec.ParsePayStream(strings.Replace(text, swap[0], swap[1], 1)); err == nil {
			t.Errorf("%q for %q was accepted: %+v", swap[1], swap[0], e)
		}
	}
	r, err := controlspec.ParseReceived("PAYMENT_ID_HASH_RECEIVED HANDLE=ebf064b1c7877810 ROUNDS=10")
	if err != nil || r.Marshal() != "PAYMENT_ID_HASH_RECEIVED HANDLE=ebf064b1c7877810 ROUNDS=10" {
		t.Errorf("%+v %v", r, err)
	}
}

func hex64(c string) string { return strings.Repeat(c, 64) }

// selfPaid is one hop's line in El Tor's form; its ids begin with prefix.
func selfPaid(fp, prefix string) string {
	s := fp + " "
	for i := range 2 + controlspec.PaidRounds {
		s += strings.Repeat(prefix, 63) + string("0123456789ab"[i])
	}
	return s
}

func TestParseExtendPaidCircuit(t *testing.T) {
	a, b := strings.Repeat("A", 40), strings.Repeat("B", 40)
	good := selfPaid(a, "e") + "\n" + selfPaid(b, "f") + "\n"
	for _, tt := range []struct {
		cmd  controlspec.Command
		code int // 0: accepted
	}{
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 0 " + a + ",$" + strings.ToLower(b)), 0},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 0 " + a + "," + b + "," + a), 0},
		{controlspec.Command{Args: "0", Block: true, Data: good}, 0},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT"), 512},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 0"), 512},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT x " + a + "," + b), 512},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 3 " + a + "," + b), 552},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 0 " + a), 512},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 0 " + a + "," + a), 512},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 0 " + a + ",nick"), 512},
		{controlspec.ParseCommand("EXTENDPAIDCIRCUIT 0 " + strings.Repeat(a+","+b+",", 4) + a), 512},
		{controlspec.Command{Args: "0 " + a, Block: true, Data: good}, 512},
		{controlspec.Command{Args: "0", Block: true}, 512},
		{controlspec.Command{Args: "0", Block: true, Data: good[:200] + "\n"}, 512},
		{controlspec.Command{Args: "0", Block: true, Data: strings.Replace(good, "e0", "g0", 1)}, 512},
		{controlspec.Command{Args: "0", Block: true, Data: selfPaid(a, "e") + "\n" + selfPaid(b, "e")}, 512},
	} {
		e, err := controlspec.ParseExtendPaidCircuit(tt.cmd)
		if tt.code == 0 {
			if err != nil {
				t.Errorf("%.80s: %v", tt.cmd.Args+tt.cmd.Data, err)
			} else if again, err := controlspec.ParseExtendPaidCircuit(e.Command()); err != nil || !cmp.Equal(e, again) {
				t.Errorf("%.80s does not survive: %v", tt.cmd.Args+tt.cmd.Data, err)
			}
			continue
		}
		var re *controlspec.ReplyError
		if !errors.As(err, &re) || re.Code != tt.code {
			t.Errorf("%.80s: %v, want %d", tt.cmd.Args+tt.cmd.Data, err, tt.code)
		} else if strings.Contains(re.Text, "eeeeeeee") {
			t.Errorf("%q tells a secret", re.Text)
		}
	}
}

func TestRedact(t *testing.T) {
	fp := strings.Repeat("A", 40)
	for in, want := range map[string]string{
		"AUTHENTICATE \"secret\"\r\n":                                  "AUTHENTICATE [redacted]",
		"authenticate":                                                 "authenticate",
		"+LOADCONF\r\n":                                                "+LOADCONF",
		"ADD_ONION ED25519-V3:secret Port=80":                          "ADD_ONION [redacted]",
		"250-PrivateKey=ED25519-V3:secret":                             "250-PrivateKey=[redacted]",
		"SETCONF HashedControlPassword=16:AB ContactInfo=x":            "SETCONF HashedControlPassword=[redacted] ContactInfo=x",
		"250 HashedControlPassword=16:AB":                              "250 HashedControlPassword=[redacted]",
		"250 AUTHCHALLENGE SERVERHASH=AB SERVERNONCE=CD":               "250 AUTHCHALLENGE SERVERHASH=[redacted] SERVERNONCE=[redacted]",
		`650 STREAM 1 NEW 0 a:1 SOCKS_USERNAME="a \"b c" PURPOSE=USER`: "650 STREAM 1 NEW 0 a:1 SOCKS_USERNAME=[redacted] PURPOSE=USER",
		"EXTENDPAIDCIRCUIT 0 " + fp:                                    "EXTENDPAIDCIRCUIT [redacted]",
		"650 EVENT_PAYMENT_ID_HASH_RECEIVED 0 " + hex64("a"):           "650 EVENT_PAYMENT_ID_HASH_RECEIVED 0 [redacted]",
		"GETINFO ns/id/" + fp:                                          "GETINFO ns/id/" + fp,
		"GETINFO a\x1b[31m":                                            "GETINFO a [31m",
	} {
		if got := controlspec.Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a \"b\\\n\x00\xff")
	f.Fuzz(func(t *testing.T, s string) {
		q := controlspec.Quote(s)
		if got, rest, err := controlspec.Unquote(q); got != s || rest != "" || err != nil {
			t.Fatalf("%q: %q %q %v", q, got, rest, err)
		}
		if strings.ContainsAny(q, "\r\n\x00") {
			t.Fatalf("%q breaks a line", q)
		}
		controlspec.Unquote(s)
	})
}

func FuzzParseArgs(f *testing.F) {
	f.Add(`43 NEW K="a \"b" $FP=nick x= "q w"`)
	f.Fuzz(func(t *testing.T, s string) {
		args, err := controlspec.ParseArgs(s)
		if err != nil {
			return
		}
		var w []string
		for _, a := range args {
			w = append(w, a.String())
		}
		again, err := controlspec.ParseArgs(strings.Join(w, " "))
		if err != nil || len(again) != len(args) {
			t.Fatalf("%q: %v", w, err)
		}
		for i := range args {
			if args[i].Key != again[i].Key || args[i].Value != again[i].Value {
				t.Fatalf("%+v became %+v", args[i], again[i])
			}
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add(payStream.Marshal())
	f.Add(`STREAM 43 NEW 0 a:1 SOURCE_ADDR=127.0.0.1:59580 SOCKS_USERNAME="b"`)
	f.Add("CIRC 7 BUILT $A~b,$C=d PURPOSE=GENERAL")
	f.Add("CIRC_BW ID=96 READ=1")
	f.Add("PAYMENT_ID_HASH_RECEIVED HANDLE=ebf064b1c7877810 ROUNDS=10")
	f.Fuzz(func(t *testing.T, s string) {
		if e, err := controlspec.ParseStream(s); err == nil {
			e.HostPort()
			e.Source()
		}
		controlspec.ParseCirc(s)
		controlspec.ParseCircBW(s)
		controlspec.ParseSignal(s)
		controlspec.Redact(s)
		if e, err := controlspec.ParsePayStream(s); err == nil {
			if again, err := controlspec.ParsePayStream(e.Marshal()); err != nil || again != e {
				t.Fatalf("%+v became %+v: %v", e, again, err)
			}
		}
		if e, err := controlspec.ParseReceived(s); err == nil {
			if again, err := controlspec.ParseReceived(e.Marshal()); err != nil || again != e {
				t.Fatalf("%+v became %+v: %v", e, again, err)
			}
		}
	})
}

func FuzzParseExtendPaidCircuit(f *testing.F) {
	a, b := strings.Repeat("A", 40), strings.Repeat("B", 40)
	f.Add("0 "+a+","+b, "", false)
	f.Add("0", selfPaid(a, "e")+"\n"+strings.ToUpper(selfPaid(b, "f"))+"\n", true)
	f.Fuzz(func(t *testing.T, args, data string, block bool) {
		e, err := controlspec.ParseExtendPaidCircuit(controlspec.Command{Args: args, Data: data, Block: block})
		if err != nil {
			return
		}
		again, err := controlspec.ParseExtendPaidCircuit(e.Command())
		if err != nil || !cmp.Equal(e, again) {
			t.Fatalf("%+v became %+v: %v", e, again, err)
		}
	})
}
