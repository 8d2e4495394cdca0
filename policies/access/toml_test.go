package access_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/policies/access"
)

const own = `profile = "mail"
[match]
hosts = ["10.0.0.0/8"]
[commands]
GETINFO = { words = ["version", "status/*", "*-status"], whose = "own" }
SETCONF = ["DisableNetwork=0", "Bridge=*", "HiddenServicePort=*", "Sandbox", "DataDirectory=/var/Tor"]
SIGNAL = ["NEWNYM"]
ADD_ONION = { words = ["NEW:*", "Flags=DiscardPK", "Flags=Detach", "Port=25,*", "Port=26,unix:/run/Mail/*", "ED25519-V3:*"], redact = true }
DEL_ONION = "own"
EXTENDCIRCUIT = "own"
CLOSECIRCUIT = "own"
ATTACHSTREAM = "own"
SAVECONF = true
MAPADDRESS = { rate = "2/h" }
LOADCONF = { words = ["SocksPort=*", "HiddenServicePort=*"], max_bytes = 64 }
[events]
STREAM = "own"
CIRC = "own"
NOTICE = true
WARN = "suppress"
[limits]
circuits = 2
onions = 1
`

func TestOwnFormCommands(t *testing.T) {
	g := admit(t, open(t, ".toml", own), remote)
	no := func(s string) string { return "510 " + s + " (profile mail)" }
	for _, tc := range []struct{ cmd, want string }{
		{"GETINFO version status/bootstrap-phase", ""},
		{"GETINFO version\taddress", no(`GETINFO refused: "address" is not allowed`)},
		{"getinfo address", no(`GETINFO refused: "address" is not allowed`)},
		{`SETCONF DisableNetwork=0 bridge="a b"`, `SETCONF DisableNetwork=0 bridge="a b"`},
		{`SETCONF Bridge="a \" ControlPort=1"`, ""},
		{`SETCONF Bridge="a\x41"`, `SETCONF Bridge="aA"`},
		{`SETCONF Bridge="a" ControlPort=1`, no(`SETCONF refused: "ControlPort" is not allowed`)},
		{`SETCONF Bridge="a`, no(`SETCONF refused: malformed quoted string`)},
		{"SETCONF DisableNetwork=1", no(`SETCONF refused: "DisableNetwork" is not allowed`)},
		{"SETCONF DisableNetwork", no(`SETCONF refused: "DisableNetwork" is not allowed`)},
		{"SETCONF Sandbox", ""},
		{"SETCONF datadirectory=/var/Tor", ""},
		{"SETCONF DataDirectory=/var/tor", no(`SETCONF refused: "DataDirectory" is not allowed`)},
		{"SETCONF Sandbox=1", no(`SETCONF refused: "Sandbox" is not allowed`)},
		{"SIGNAL newnym", ""},
		{"SIGNAL HALT", no(`SIGNAL refused: "HALT" is not allowed`)},
		{"ADD_ONION NEW:BEST Flags=DiscardPK,Detach Port=25,127.0.0.1:25", ""},
		{"ADD_ONION NEW:BEST Port=25", ""},
		{"ADD_ONION new:BEST port=26,unix:/run/Mail/in", ""},
		{"ADD_ONION NEW:BEST Port=26,unix:/run/mail/in", no(`ADD_ONION refused: "Port=26,unix:/run/mail/in" is not allowed`)},
		{"ADD_ONION NEW:BEST Flags=DiscardPK,NonAnonymous Port=25", no(`ADD_ONION refused: "Flags=NonAnonymous" is not allowed`)},
		{"ADD_ONION NEW:BEST Port=80", no(`ADD_ONION refused: "Port=80,127.0.0.1:80" is not allowed`)},
		{"ADD_ONION RSA1024:c2VjcmV0 Port=25", no(`ADD_ONION refused: "RSA1024:..." is not allowed`)},
		{"EXTENDCIRCUIT 0 a,b", ""},
		{"EXTENDCIRCUIT 5 a,b", no("EXTENDCIRCUIT refused: the circuit is not this controller's")},
		{"CLOSECIRCUIT 5", no("CLOSECIRCUIT refused: the circuit is not this controller's")},
		{"ATTACHSTREAM 5 0", no("ATTACHSTREAM refused: the stream is not this controller's")},
		{"DEL_ONION abc", no("DEL_ONION refused: the onion service is not this controller's")},
		{"SAVECONF FORCE", ""},
		{"DROPGUARDS", no(`"DROPGUARDS" is not allowed`)},
		{"+LOADCONF\r\nSocksPort 9050\r\n# a comment\r\n.", ""},
		{"+LOADCONF\r\nControlPort 9050\r\n.", no(`LOADCONF refused: "ControlPort" is not allowed`)},
		{"+LOADCONF\r\n  +ControlPort 9050\r\n.", no(`LOADCONF refused: "ControlPort" is not allowed`)},
		{"+LOADCONF\r\nSocksPort 1 \\\r\nControlPort 2\r\n.", no("LOADCONF refused: lines of a configuration that continue, or include a file, are refused")},
		{"+LOADCONF\r\n%include /etc/passwd\r\n.", no("LOADCONF refused: lines of a configuration that continue, or include a file, are refused")},
		{"+LOADCONF\r\nSocksPort " + strings.Repeat("1", 64) + "\r\n.", no("LOADCONF refused: its data block has more than 64 bytes")},
		{"+LOADCONF\r\nSocksPort \"9050\" # a comment\r\nSocksPort#1\r\n.", ""},
		{"+LOADCONF\r\nSocksPort 9050\r\n.\r\r\nControlPort 9050\r\n.", no(`LOADCONF refused: "ControlPort" is not allowed`)}, // no end to tor
		{"LOADCONF", no("LOADCONF refused: with or without a data block, not so")},
		{"+GETINFO version\r\n.", no("GETINFO refused: with or without a data block, not so")},
		{"SETEVENTS STREAM warn NOTICE", "SETEVENTS STREAM NOTICE"},
	} {
		if tc.want == "" {
			tc.want = tc.cmd
		}
		if got := say(g, tc.cmd); got != tc.want {
			t.Errorf("%q:\ngot  %q\nwant %q", tc.cmd, got, tc.want)
		}
	}
}

// Circuits, streams and services become a controller's own by what tor says.
func TestOwnership(t *testing.T) {
	g := admit(t, open(t, ".toml", own), remote)
	reply(t, g, "EXTENDCIRCUIT 0 a,b,c", "250 EXTENDED 12\r\n")
	reply(t, g, "ADD_ONION NEW:BEST Port=25", "250-ServiceID=abc\r\n250 OK\r\n")
	heard := lines(g.Event, "650 CIRC 12 EXTENDED $FF~a\r\n650 CIRC 13 BUILT $FF~a\r\n650 NOTICE hello\r\n"+
		"650 STREAM 4 NEW 0 a.example:80 SOURCE_ADDR=10.0.0.7:50 PURPOSE=USER\r\n650 STREAM 5 NEW 0 b.example:80 SOURCE_ADDR=10.0.0.9:50\r\n")
	if want := "650 CIRC 12 EXTENDED $FF~a\r\n650 NOTICE hello\r\n650 STREAM 4 NEW 0 a.example:80 SOURCE_ADDR=10.0.0.7:50 PURPOSE=USER\r\n"; heard != want {
		t.Errorf("heard %q", heard)
	}
	for _, cmd := range []string{"EXTENDCIRCUIT 12 d", "ATTACHSTREAM 4 12", "ATTACHSTREAM 4 0", "DEL_ONION abc", "CLOSECIRCUIT 12"} {
		if got := say(g, cmd); got != cmd {
			t.Errorf("%q: got %q", cmd, got)
		}
	}
	for _, cmd := range []string{"EXTENDCIRCUIT 012 d", "ATTACHSTREAM 5 12", "ATTACHSTREAM 4 13", "CLOSECIRCUIT 13", "DEL_ONION abd",
		"ADD_ONION NEW:BEST Port=25"} {
		if got := say(g, cmd); !strings.HasPrefix(got, "510 ") {
			t.Errorf("%q: got %q", cmd, got)
		}
	}
	got := reply(t, g, "GETINFO circuit-status stream-status version", "250+circuit-status=\r\n12 BUILT\r\n13 BUILT\r\n.\r\n"+
		"250-stream-status=5 SUCCEEDED 13 b.example:80\r\n250-version=1\r\n250 OK\r\n")
	if want := "250+circuit-status=\r\n12 BUILT\r\n.\r\n250-stream-status=\r\n250-version=1\r\n250 OK\r\n"; got != want {
		t.Errorf("got %q", got)
	}
	reply(t, g, "CLOSECIRCUIT 12", "250 OK\r\n")
	const closed = "650 CIRC 12 CLOSED $FF~a REASON=REQUESTED\r\n"
	if heard := lines(g.Event, closed); heard != closed {
		t.Errorf("of the end of its circuit it heard %q", heard)
	}
	if got := say(g, "CLOSECIRCUIT 12"); !strings.HasPrefix(got, "510 ") {
		t.Errorf("a closed circuit: %q", got)
	}
	reply(t, g, "DEL_ONION abc", "250 OK\r\n")
	if got := say(g, "ADD_ONION NEW:BEST Port=25"); strings.HasPrefix(got, "510 ") {
		t.Errorf("there is room again: %q", got)
	}
}

// Circuits that ended unseen make room: tor is asked before one is refused.
func TestCircuitLimit(t *testing.T) {
	g := admit(t, open(t, ".toml", own), remote)
	for id := range 2 {
		reply(t, g, "EXTENDCIRCUIT 0 a,b", fmt.Sprintf("250 EXTENDED %d\r\n", id+1))
	}
	open := "1 BUILT\n2 BUILT\n"
	ask := func(cmd string) (controlspec.Reply, error) {
		return controlspec.Reply{Lines: []controlspec.ReplyLine{{Code: 250, Sep: '+', Text: "circuit-status=", Data: open}, {Code: 250, Sep: ' ', Text: "OK"}}}, nil
	}
	if _, _, err := g.Command([]byte("EXTENDCIRCUIT 0 a,b\r\n"), ask); err == nil {
		t.Error("a third circuit was allowed")
	}
	open = "2 BUILT\n"
	if _, _, err := g.Command([]byte("EXTENDCIRCUIT 0 a,b\r\n"), ask); err != nil {
		t.Error(err)
	}
}

// A limit counts the same command as often as it is said.
func TestPaidCircuitLimit(t *testing.T) {
	g := admit(t, open(t, ".toml", "[match]\nhosts = [\"10.0.0.0/8\"]\n[commands]\nEXTENDPAIDCIRCUIT = true\n[limits]\ncircuits = 2\n"), remote)
	for id := range 3 {
		got := say(g, "EXTENDPAIDCIRCUIT 0 a,b")
		if refused := strings.HasPrefix(got, "510 "); refused != (id == 2) {
			t.Errorf("circuit %d: %s", id+1, got)
		}
		g.Built(fmt.Sprint(id + 1))
	}
}

func TestNoControlPortAsOnionService(t *testing.T) {
	p := open(t, ".toml", "[match]\nhosts = [\"10.0.0.0/8\"]\n[commands]\nADD_ONION = true\nSETCONF = true\nLOADCONF = true\n")
	ask := func(string) (controlspec.Reply, error) {
		return controlspec.ParseReply([]byte("250-net/listeners/control=\"127.0.0.1:7777\" \"unix:/run/other/control\" \"unix:/run/a b/control\"\r\n250 OK\r\n"))
	}
	id := remote
	id.Listener = "10.0.0.1:8888"
	for cmd, ok := range map[string]bool{
		"ADD_ONION NEW:BEST Port=25,127.0.0.1:25":                 true,
		"ADD_ONION NEW:BEST Port=25,127.0.0.1:9051":               false,
		"ADD_ONION NEW:BEST Port=25,9051":                         false,
		"ADD_ONION NEW:BEST Port=25,localhost:09051":              false,
		"ADD_ONION NEW:BEST Port=25,[::1]:7777":                   false,
		"ADD_ONION NEW:BEST Port=25,127.0.0.1:8888":               false,
		"ADD_ONION NEW:BEST port=25,unix:/run/tor/../tor/control": false,
		"ADD_ONION NEW:BEST Port=25,unix:/run/other/control":      false,
		"ADD_ONION NEW:BEST Port=25,unix:/run/mail/socket":        true,
		"ADD_ONION NEW:BEST Port=25,10.0.0.7:9051":                true, // its own machine
		`SETCONF HiddenServicePort="80 127.0.0.1:9051"`:           false,
		"SETCONF HiddenServicePort=9051":                          false,
		`SETCONF HiddenServicePort="80 127.0.0.1:8080"`:           true,
		"+LOADCONF\r\nHiddenServicePort 80 127.0.0.1:9151\r\n.":   false,
		"+LOADCONF\r\nHiddenServicePort 80 127.0.0.1:8080\r\n.":   true,

		// tor 0.4.9 takes these too.
		"ADD_ONION NEW:BEST Port=9051,127.0.0.1":                           false, // at the service's own port
		"ADD_ONION NEW:BEST Port=9051,[::1]":                               false,
		"ADD_ONION NEW:BEST Port=9051,::1":                                 false,
		"ADD_ONION NEW:BEST Port=9051,":                                    false,
		"ADD_ONION NEW:BEST Port=25,10.0.0.8":                              true,
		"ADD_ONION NEW:BEST Port=+9051":                                    false,
		"ADD_ONION NEW:BEST Port=25,+9051":                                 false,
		"ADD_ONION NEW:BEST Port=25,127.0.0.1:+9051":                       false,
		"ADD_ONION NEW:BEST Port=,25,9051":                                 false,
		`SETCONF HiddenServicePort="80 unix:\"/run/other/contro\\154\""`:   false,
		`SETCONF HiddenServicePort="80 unix:\"/run/a b/control\""`:         false,
		`SETCONF HiddenServicePort="80 unix:\"/run/mail/socket\""`:         true,
		`SETCONF HiddenServicePor="80 127.0.0.1:9051"`:                     false, // an abbreviation
		"+LOADCONF\r\nHiddenServicePor 80 127.0.0.1:9051\r\n.":             false,
		"+LOADCONF\r\nHiddenServicePort \"80 127.0.0.1:9051\"\r\n.":        false,
		"+LOADCONF\r\nHiddenServicePort \"80 127.0.0.1:905\\061\"\r\n.":    false,
		"+LOADCONF\r\nHiddenServicePort \"80 127.0.0.1:9051\\0x\"\r\n.":    false, // ends at the NUL
		"+LOADCONF\r\nHiddenServicePort 80 127.0.0.1:9051 # mail\r\n.":     false,
		"+LOADCONF\r\nHiddenServicePort 80 127.0.0.1:8080 # mail\r\n.":     true,
		"+LOADCONF\r\nHiddenServicePort \"80 127.0.0.1:8080\" # mail\r\n.": true,
	} {
		_, _, err := admit(t, p, id).Command([]byte(cmd+"\r\n"), ask)
		if (err == nil) != ok {
			t.Errorf("%q: %v", cmd, err)
		}
	}
}

func TestRedact(t *testing.T) {
	g := admit(t, open(t, ".toml", own), remote)
	got := reply(t, g, "ADD_ONION NEW:BEST Port=25", "250-ServiceID=abc\r\n250-PrivateKey=ED25519-V3:c2VjcmV0\r\n250 OK\r\n")
	if want := "250-ServiceID=abc\r\n250-PrivateKey=ED25519-V3:redacted\r\n250 OK\r\n"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestRate(t *testing.T) {
	p := open(t, ".toml", own)
	for i := range 3 { // a new connection does not help
		got := say(admit(t, p, remote), "MAPADDRESS a=b")
		if refused := strings.Contains(got, "more than 2 in 1h0m0s"); refused != (i == 2) {
			t.Errorf("command %d: %q", i+1, got)
		}
	}
}

func TestOwnFormErrors(t *testing.T) {
	const head = "[match]\nanybody = true\n[commands]\n"
	for _, tc := range []struct{ name, text, want string }{
		{"key", "profil = \"a\"\n[match]\nanybody = true\n", `p.toml:1: unknown key "profil"`},
		{"match key", "[match]\nuser = [\"a\"]\n", `p.toml:2: unknown key "match.user"`},
		{"command", head + "GETINF = true\n", "p.toml:4: GETINF: no such command"},
		{"rule key", head + "GETINFO = { word = [] }\n", `p.toml:4: commands.GETINFO: unknown key "word"`},
		{"rule type", head + "GETINFO = 1\n", "p.toml:4: "},
		{"rate", head + "GETINFO = { rate = \"1/y\" }\n", "p.toml:4: "},
		{"own", head + "SIGNAL = \"own\"\n", "p.toml:4: SIGNAL: "},
		{"events by command", head + "SETEVENTS = true\n", "p.toml:4: SETEVENTS: events are allowed in [events]"},
		{"own event", "[match]\nanybody = true\n[events]\nBW = \"own\"\n", "p.toml:4: BW: "},
		{"event", "[match]\nanybody = true\n[events]\nBW = 1\n", "p.toml:4: "},
		{"range", head + "ADD_ONION = [\"Port=80,127.0.0.1:9-1\"]\n", "p.toml:4: "},
		{"paid", head + "EXTENDPAIDCIRCUIT = { paid = true }\n", "p.toml:4: EXTENDPAIDCIRCUIT: paid is for EXTENDCIRCUIT"},
		{"paid or not", head + "EXTENDCIRCUIT = { paid = 1 }\n", "p.toml:4: "},
		{"syntax", "[match\n", "p.toml:"},
		{"nobody", "profile = \"a\"\n", "p.toml:1: the profile is for nobody"},
		{"host", "[match]\nhosts = [\"x\"]\n", "p.toml:2: "},
		{"twice", head + "GETINFO = true\ngetinfo = true\n", "is there twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := access.Load(write(t, map[string]string{"p.toml": tc.text}))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// A rule says whether plain circuits are paid for, and explain tells.
func TestPaid(t *testing.T) {
	for rule, want := range map[string]bool{`{ paid = true, whose = "own" }`: true, `"own"`: false} {
		p := open(t, ".toml", "[match]\nhosts = [\"10.0.0.0/8\"]\n[commands]\nEXTENDCIRCUIT = "+rule+"\n")
		if got := admit(t, p, remote).Pays(); got != want {
			t.Errorf("%s: pays %t, want %t", rule, got, want)
		}
		why := p.Set().Explain(remote, "EXTENDCIRCUIT 0 a,b")
		if !why.Allowed || why.Paid != want || strings.Contains(why.String(), "becomes a paid circuit") != want {
			t.Errorf("%s: %s", rule, why)
		}
		if why := p.Set().Explain(remote, "EXTENDCIRCUIT 5 a,b"); why.Paid {
			t.Errorf("%s: %s", rule, why)
		}
	}
}
