package access

import (
	"fmt"

	"github.com/el-tor/tops/controlspec"
	"golang.org/x/time/rate"
)

// Pos is where in a profile's file something stands.
type Pos struct {
	File string
	Line int // 0: not known
}

func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func (p Pos) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// Profile is what some controllers may say and hear. It is not changed once it
// is loaded, and serves many controllers at once.
type Profile struct {
	Name string
	Pos  Pos

	match   match
	rules   map[string][]rule // by command
	index   map[string]index
	events  map[string]*eventRule
	browser bool // tor-browser-mode
	filters bool // events need a look
	grater  bool // onion-grater's form, with its ways
	trusted bool
	pays    bool // a plain EXTENDCIRCUIT 0 becomes a paid circuit

	circuits, onions int           // most of them at once, for each controller; 0: any number
	dayMsat          int64         // for paid circuits of all of them, in 24 hours; 0: not said
	rate             *rate.Limiter // of all commands; nil: none
}

// eventRule is what becomes of an event that a profile allows.
type eventRule struct {
	suppress bool // subscribed in name only
	own      bool // circuits and streams of the controller only
	redact   bool // passwords leave it
	rewrites []rewrite
	pos      Pos
}

// rule allows commands of one name.
type rule interface {
	// judge says what becomes of cmd; ok false: the rule is for other arguments,
	// and why says of which kind.
	judge(g *Guard, cmd command) (v verdict, ok bool, why string)
	where() Pos
}

// verdict is what becomes of a command.
type verdict struct {
	refusal *controlspec.ReplyError // or what is answered in tor's stead
	line    string                  // instead of what the controller wrote; empty: that
	reply   func(controlspec.Line) []byte
	pos     Pos  // of the rule that decided
	fixed   bool // the same every time
}

// free are the commands of authentication and leave-taking.
var free = map[string]bool{"PROTOCOLINFO": true, "AUTHCHALLENGE": true, "AUTHENTICATE": true, "QUIT": true}

func (p *Profile) refuse(pos Pos, format string, args ...any) verdict {
	return verdict{pos: pos, refusal: controlspec.Errorf(510, "%s (profile %s)", fmt.Sprintf(format, args...), p.Name)}
}
