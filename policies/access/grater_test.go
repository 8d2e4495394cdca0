package access_test

import (
	"strings"
	"testing"

	"github.com/el-tor/tops/policies/access"
)

const grater = `---
- name: mail
  exe-paths: ['*']
  users: ['*']
  hosts: ['10.0.0.7']
  commands:
    signal:
      - 'NEWNYM'
    GETINFO:
      - 'version|status/circuit-established'
      - pattern: 'net/listeners/socks'
        response:
        - pattern: '250-net/listeners/socks=".*"'
          replacement: '250-net/listeners/socks="127.0.0.1:9150"'
    ADD_ONION:
      - pattern:     'NEW:(\S+) Port=25,(\d+)( Flags=\S+)?'
        replacement: 'NEW:{} Port=25,{client-address}:{}{}'
    SAVECONF:
      - ''
  confs:
    __OwningControllerProcess:
    Bridge: ['', '.*']
    DisableNetwork: ['"0"', '1']
  events:
    STATUS_CLIENT:
    SIGNAL:
      suppress: true
    HS_DESC:
      response:
        - pattern: '650 HS_DESC UPLOADED (\S+) (\S+) .+'
          replacement: '650 HS_DESC UPLOADED {} {} redacted'
        - pattern: '650 HS_DESC FAILED .*'
          replacement: 'XXX'
        - pattern: '.*'
          replacement: ''
`

func TestGraterCommands(t *testing.T) {
	g := admit(t, open(t, ".yml", grater), remote)
	for _, tc := range []struct{ cmd, want string }{
		{"GETINFO version", ""},
		{"getinfo  version", ""},
		{"GETINFO versionx", `510 GETINFO refused: these arguments are not allowed (profile mail)`},
		{"GETINFO xstatus/circuit-established", `510 GETINFO refused: these arguments are not allowed (profile mail)`},
		{"GETINFO address", `510 GETINFO refused: these arguments are not allowed (profile mail)`},
		{"GETINFO version address", `510 GETINFO refused: these arguments are not allowed (profile mail)`},
		{"DROPGUARDS", `510 "DROPGUARDS" is not allowed (profile mail)`},
		{"signal NEWNYM", ""},
		{"SIGNAL SHUTDOWN", `510 SIGNAL refused: these arguments are not allowed (profile mail)`},
		{"SAVECONF", ""},
		{"SAVECONF FORCE", `510 SAVECONF refused: these arguments are not allowed (profile mail)`},
		{"ADD_ONION NEW:BEST Port=25,2525", "ADD_ONION NEW:BEST Port=25,10.0.0.7:2525"},
		{"ADD_ONION NEW:BEST Port=25,2525 Flags=Detach", "ADD_ONION NEW:BEST Port=25,10.0.0.7:2525 Flags=Detach"},
		{"+ADD_ONION NEW:BEST Port=25,2525\r\n.", `510 ADD_ONION refused: these arguments are not allowed (profile mail)`},
		{"GETCONF bridge", ""},
		{"GETCONF SocksPort", `510 GETCONF refused: option "SocksPort" is not allowed so (profile mail)`},
		{`SETCONF Bridge="obfs4 192.0.2.1:80" disablenetwork="0"`, ""},
		{"SETCONF Bridge", ""},
		{"SETCONF Bridge=x ControlPort=1", `510 SETCONF refused: option "ControlPort" is not allowed so (profile mail)`},
		{`SETCONF Bridge="x" ControlPort=1`, `510 SETCONF refused: option "ControlPort" is not allowed so (profile mail)`},
		{`SETCONF Bridge="x"ControlPort=1`, `510 SETCONF refused: these arguments are not allowed (profile mail)`},
		{"SETCONF DisableNetwork", `510 SETCONF refused: option "DisableNetwork" is not allowed so (profile mail)`},
		{"SETCONF DisableNetwork=2", `510 SETCONF refused: option "DisableNetwork" is not allowed so (profile mail)`},
		{"SETCONF __owningcontrollerprocess=1", `510 SETCONF refused: option "__owningcontrollerprocess" is not allowed so (profile mail)`},
		{"SETEVENTS status_client SIGNAL", "SETEVENTS status_client"},
		{"SETEVENTS SIGNAL", "SETEVENTS"},
		{"SETEVENTS", ""},
		{"SETEVENTS STREAM", `510 SETEVENTS refused: event "STREAM" is not allowed (profile mail)`},
		{"TAKEOWNERSHIP", "250 OK"},
		{"PROTOCOLINFO 1", ""},
		{"AUTHENTICATE", ""},
		{"QUIT", ""},
		{"GETINFO\vversion", "510 Control characters are refused in a command"},
		{"", `510 "" is not allowed (profile mail)`},
		{" GETINFO version", `510 "" is not allowed (profile mail)`},
	} {
		if tc.want == "" {
			tc.want = tc.cmd
		}
		for range 2 { // a line that passes is remembered
			if got := say(g, tc.cmd); got != tc.want {
				t.Errorf("%q: got %q, want %q", tc.cmd, got, tc.want)
			}
		}
	}
}

func TestGraterReplies(t *testing.T) {
	g := admit(t, open(t, ".yml", grater), remote)
	got := reply(t, g, "GETINFO net/listeners/socks", "250-net/listeners/socks=\"127.0.0.1:9050\"\r\n250 OK\r\n")
	if want := "250-net/listeners/socks=\"127.0.0.1:9150\"\r\n250 OK\r\n"; got != want {
		t.Errorf("got %q", got)
	}
}

// A replacement that is no line of a reply, and the lack of one, leave the
// protocol whole.
func TestGraterEvents(t *testing.T) {
	g := admit(t, open(t, ".yml", grater), remote)
	if !g.FiltersEvents() {
		t.Fatal("there is something to filter")
	}
	got := lines(g.Event, "650 HS_DESC UPLOADED abc UNKNOWN $FF~relay\r\n650 HS_DESC FAILED abc\r\n"+
		"650 HS_DESC REQUESTED abc\r\n650 STATUS_CLIENT NOTICE X\r\n650 SIGNAL NEWNYM\r\n"+
		"650-CONF_CHANGED\r\n650-A=b\r\n650 OK\r\n650 STATUS_CLIENT NOTICE Y\r\n")
	want := "650 HS_DESC UPLOADED abc UNKNOWN redacted\r\n650 XXX\r\n650 STATUS_CLIENT NOTICE X\r\n650 STATUS_CLIENT NOTICE Y\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Replies stay framed whatever the replacement is.
func TestFraming(t *testing.T) {
	for _, tc := range []struct{ to, said, want string }{
		{"", "250-a=1\r\n250 OK\r\n", "250 \r\n"},
		{"250 OK", "250-a=1\r\n250 OK\r\n", "250-OK\r\n250 OK\r\n"},
		{"650 x", "250-a=1\r\n250 OK\r\n", "250-650 x\r\n250 650 x\r\n"},
		{"552 no", "250 OK\r\n", "552 no\r\n"},
		{"text", "250+a=\r\nline\r\n.\r\n250 OK\r\n", "250+text\r\ntext\r\n.\r\n250 text\r\n"},
		{".", "250+a=\r\nline\r\n.\r\n250 OK\r\n", "250+.\r\n..\r\n.\r\n250 .\r\n"},
	} {
		p := open(t, ".yml", `- hosts: ['*']
  commands:
    GETINFO:
      - pattern: 'a'
        response: [{pattern: '.*', replacement: '`+tc.to+`'}]
`)
		if got := reply(t, admit(t, p, remote), "GETINFO a", tc.said); got != tc.want {
			t.Errorf("%q: got %q, want %q", tc.to, got, tc.want)
		}
	}
}

// The browser's circuits are those of its streams; the end of others is told
// without a word more.
func TestBrowserMode(t *testing.T) {
	g := admit(t, open(t, ".yml", `- hosts: ['10.0.0.7']
  commands: {GETINFO: ['circuit-status']}
  events: {STREAM: , CIRC: }
  tor-browser-mode: true
`), remote)
	got := lines(g.Event, "650 STREAM 1 NEW 0 a.example:80 SOURCE_ADDR=10.0.0.7:5000 PURPOSE=USER\r\n"+
		"650 STREAM 2 NEW 0 b.example:80 SOURCE_ADDR=10.0.0.8:5000 PURPOSE=USER\r\n"+
		"650 CIRC 7 BUILT $FF~a PURPOSE=GENERAL\r\n650 STREAM 1 SUCCEEDED 7 a.example:80\r\n650 STREAM 2 SUCCEEDED 8 b.example:80\r\n"+
		"650 CIRC 8 CLOSED $FF~a REASON=FINISHED\r\n")
	want := "650 STREAM 1 NEW 0 a.example:80 SOURCE_ADDR=10.0.0.7:5000 PURPOSE=USER\r\n650 STREAM 1 SUCCEEDED 7 a.example:80\r\n650 CIRC 8 CLOSED\r\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	status := "250+circuit-status=\r\n7 BUILT $FF~a\r\n8 BUILT $FE~b\r\n.\r\n250 OK\r\n"
	if got, want := reply(t, g, "GETINFO circuit-status", status), "250+circuit-status=\r\n7 BUILT $FF~a\r\n.\r\n250 OK\r\n"; got != want {
		t.Errorf("got %q", got)
	}
	lines(g.Event, "650 STREAM 1 CLOSED 7 a.example:80 REASON=DONE\r\n")
	if got, want := reply(t, g, "GETINFO circuit-status", status), "250+circuit-status=\r\n.\r\n250 OK\r\n"; got != want {
		t.Errorf("after the stream's end: got %q", got)
	}
}

// A pattern is for the whole of the arguments, whatever its alternatives begin with.
func TestGraterPatterns(t *testing.T) {
	for _, tc := range []struct{ pattern, allows, blocks string }{
		{"a|b", "a b", "ab aa xb ba"},
		{"version|ns/id/[A-F]{2}", "version ns/id/AB", "versions ns/id/ABC xns/id/AB ns/id/A"},
		{"(?i)abc|def", "ABC abc def DEF", "abcd xdef"},
		{"ab*|c?d", "a ab abb d cd", "b c cdd"},
		{"^abc$", "abc", "abcd xabc"},
		{"x(|y)", "x xy", "y xyy"},
		{"(ab|ac)d|z.*", "abd acd z zz", "ad abdz"},
		{"|a", "a", "b aa"},
	} {
		g := admit(t, open(t, ".yml", "- hosts: ['*']\n  commands:\n    GETINFO:\n      - '"+tc.pattern+"'\n"), remote)
		for args := range strings.FieldsSeq(tc.allows) {
			if got := say(g, "GETINFO "+args); got != "GETINFO "+args {
				t.Errorf("%s: %s", tc.pattern, got)
			}
		}
		for args := range strings.FieldsSeq(tc.blocks) {
			if got := say(g, "GETINFO "+args); !strings.HasPrefix(got, "510 ") {
				t.Errorf("%s: tor gets %s", tc.pattern, got)
			}
		}
	}
}

func TestGraterErrors(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"key", "- users: ['*']\n  exe-path: ['*']\n", "p.yml:2: unknown key \"exe-path\""},
		{"rule key", "- hosts: ['*']\n  commands:\n    GETINFO:\n      - pattern: 'a'\n        reply: 'b'\n", "p.yml:5: unknown key \"reply\""},
		{"event key", "- hosts: ['*']\n  events:\n    CIRC:\n      supress: true\n", "p.yml:4: unknown key \"supress\""},
		{"pattern", "- hosts: ['*']\n  commands:\n    GETINFO:\n      - 'a('\n", "p.yml:4: pattern \"a(\""},
		{"unbalanced", "- hosts: ['*']\n  commands:\n    GETINFO:\n      - 'a)|(b'\n", "p.yml:4: pattern"},
		{"lookahead", "- hosts: ['*']\n  commands:\n    GETINFO:\n      - '(?!a)b'\n", "p.yml:4: pattern"},
		{"groups", "- hosts: ['*']\n  commands:\n    X:\n      - pattern: '(a)'\n        replacement: '{} {}'\n", "p.yml:4: replacement \"{} {}\": the pattern has 1 groups only"},
		{"name", "- hosts: ['*']\n  commands:\n    X:\n      - pattern: '(a)'\n        replacement: '{client}'\n", "p.yml:4: replacement \"{client}\": {client} is not known"},
		{"brace", "- hosts: ['*']\n  commands:\n    X:\n      - pattern: 'a'\n        replacement: '}'\n", "single '}'"},
		{"mixed", "- hosts: ['*']\n  commands:\n    X:\n      - pattern: '(a)(b)'\n        replacement: '{} {1}'\n", "cannot be mixed"},
		{"conf", "- hosts: ['*']\n  confs:\n    A: ['[']\n", "p.yml:3: pattern \"[\""},
		{"host", "- hosts: ['nowhere']\n", "p.yml:1: host \"nowhere\""},
		{"twice", "- hosts: ['*']\n  hosts: ['*']\n", "p.yml:2: mapping key \"hosts\" already defined"},
		{"command twice", "- hosts: ['*']\n  commands:\n    A: ['a']\n    a: ['b']\n", "command A is there twice"},
		{"no list", "hosts: ['*']\n", "p.yml:1: "},
		{"syntax", "- a: [\n", "p.yml:"},
		{"two", "- name: a\n  hosts: ['10.0.0.0/8']\n- name: b\n  hosts: ['10.0.0.7']\n", "p.yml:3: profile \"b\" is for the same controllers as profile \"a\" at "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := access.Load(write(t, map[string]string{"p.yml": tc.text}))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
