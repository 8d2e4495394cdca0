package tor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
)

// LeaveStreamsUnattached is the option that makes tor wait for a controller to
// attach each stream. Whoever sees another controller set it to 1, which tor
// does not report when it is 1 by us, tells [Settings.SetBase].
const LeaveStreamsUnattached = "__LeaveStreamsUnattached"

// An Attacher carries connections of ours through chosen circuits: it asks tor
// to leave streams unattached, recognises its own by their SOCKS username,
// which nobody else can know, and attaches them. Everybody else's streams are
// given back to tor at once, unless the operator, or another controller, wants
// them left too.
//
// It is a [Handler], behind its [Settings].
type Attacher struct {
	link
	settings *Settings // nil: streams are not left to us
	secret   string    // begins our usernames

	mu      sync.Mutex // guards what follows
	serial  uint64
	streams map[string]*stream // ours, by username
	mapped  map[string]string  // MAPADDRESS in force: name to address
}

// NewAttacher returns an attacher whose one option settings keeps.
func NewAttacher(settings *Settings) *Attacher {
	secret := make([]byte, 16)
	rand.Read(secret)
	settings.want(Fixed(LeaveStreamsUnattached, "1"))
	return &Attacher{
		settings: settings,
		secret:   "tops-" + hex.EncodeToString(secret) + "-",
		streams:  make(map[string]*stream),
		mapped:   make(map[string]string),
	}
}

// NewBystander returns an attacher that leaves every stream to tor: it only finds
// tor's SocksPort and has it look up names.
func NewBystander() *Attacher { return &Attacher{} }

// Events are those of streams' lives, and the signals that clear address maps.
func (a *Attacher) Events() []string {
	if a.settings == nil {
		return nil
	}
	return []string{"STREAM", "SIGNAL"}
}

// Connected takes up the streams that wait already: somebody else's, since an
// earlier process of ours has died. Its own can not be among them.
func (a *Attacher) Connected(ctx context.Context, conn *Conn) error {
	a.set(conn)
	a.forgetMaps()
	if a.settings == nil || a.leavesOthers() {
		return nil
	}
	return release(ctx, conn)
}

// release gives the waiting streams to tor.
func release(ctx context.Context, d doer) error {
	waiting, err := streamStatus(ctx, d)
	if err != nil {
		return err
	}
	for _, s := range waiting {
		if s.Status != "NEW" && s.Status != "NEWRESOLVE" {
			continue
		}
		if _, err := d.Do(ctx, "ATTACHSTREAM "+s.ID+" 0"); err != nil && !isRefusal(err) {
			return err
		}
	}
	return nil
}

func streamStatus(ctx context.Context, d doer) ([]controlspec.StreamEvent, error) {
	text, err := getInfo(ctx, d, "stream-status")
	if err != nil {
		return nil, err
	}
	var all []controlspec.StreamEvent
	for line := range strings.Lines(text) {
		s, err := controlspec.ParseStreamStatus(strings.TrimRight(line, "\r\n"))
		if err != nil {
			return nil, fmt.Errorf("GETINFO stream-status: %w", err)
		}
		all = append(all, s)
	}
	return all, nil
}

// leavesOthers reports whether somebody else wants streams left unattached.
func (a *Attacher) leavesOthers() bool {
	return slices.Equal(a.settings.Base(LeaveStreamsUnattached), []string{"1"})
}

// Event takes STREAM and SIGNAL.
func (a *Attacher) Event(ctx context.Context, event controlspec.Reply) {
	if eventName(event) == "SIGNAL" {
		a.forgetMaps() // RELOAD, NEWNYM and CLEARDNSCACHE may have
		return
	}
	e, err := controlspec.ParseStream(event.Lines[0].Text)
	if err != nil {
		return
	}
	if strings.HasPrefix(e.Username, a.secret) {
		a.ours(ctx, e)
	} else if e.Status == "CONTROLLER_WAIT" && !a.leavesOthers() {
		// An error means that the stream has gone.
		a.Do(ctx, "ATTACHSTREAM "+e.ID+" 0")
	}
}

// ours moves a stream of ours on.
func (a *Attacher) ours(ctx context.Context, e controlspec.StreamEvent) {
	a.mu.Lock()
	s := a.streams[e.Username]
	a.mu.Unlock()
	if s != nil && !s.is(e.ID) {
		s = nil
	}
	switch e.Status {
	case "CONTROLLER_WAIT":
		if s == nil || !s.claim(e.ID) { // its connection is closed, or will be
			a.Do(ctx, "CLOSESTREAM "+e.ID+" 1")
			return
		}
		line := "ATTACHSTREAM " + e.ID + " " + s.circuit
		if s.hop > 0 {
			line += " HOP=" + strconv.Itoa(s.hop)
		}
		if _, err := a.Do(ctx, line); err != nil {
			s.end(err)
			a.Do(ctx, "CLOSESTREAM "+e.ID+" 1")
		}
	case "SUCCEEDED":
		if s != nil {
			s.succeed()
		}
	case "DETACHED":
		// tor would wait to have it attached elsewhere. There is no
		// elsewhere: the circuit is what is paid for.
		if s != nil {
			s.end(&StreamError{e.Status, e.Reason, e.RemoteReason})
		}
		a.Do(ctx, "CLOSESTREAM "+e.ID+" 1")
	case "FAILED", "CLOSED":
		if s != nil {
			s.end(&StreamError{e.Status, e.Reason, e.RemoteReason})
		}
	}
}

// Disconnected ends the connections that are not through yet: nobody would
// attach them.
func (a *Attacher) Disconnected(reason error) {
	a.set(nil)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.streams {
		if s.pending() {
			s.end(fmt.Errorf("%w: %w", ErrNotConnected, reason))
			s.abort()
		}
	}
}

// Leave gives tor its streams back, before the end: the option as the
// operator had it, and whatever waits to tor. Connections of ours that are
// through go on.
func (a *Attacher) Leave(ctx context.Context) error {
	if a.settings == nil {
		return nil
	}
	leaves := a.leavesOthers()
	if err := a.settings.Restore(ctx, LeaveStreamsUnattached); err != nil {
		return err
	}
	var errs []error
	if !leaves {
		errs = append(errs, release(ctx, a))
	}
	a.forgetMaps()
	return errors.Join(append(errs, unmapGateways(ctx, a))...)
}

// newStream registers a stream before tor can tell of it.
func (a *Attacher) newStream(circuit string, hop int, abort func()) *stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.serial++
	s := &stream{
		username: a.secret + strconv.FormatUint(a.serial, 10),
		circuit:  circuit, hop: hop, abort: abort,
		ended: make(chan struct{}),
	}
	a.streams[s.username] = s
	return s
}

func (a *Attacher) forget(s *stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.streams, s.username)
}

func (a *Attacher) forgetMaps() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.mapped)
}
