package client

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/path"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies"
)

// A directory is what tor knows of relays, as far as paths and payments need it. It
// reads the consensus once, and of the descriptors, on which a public network spends
// some twenty megabytes, those that have changed: tor says which (NEWDESC). It is a
// [tor.Handler].
type directory struct {
	mu        sync.Mutex // guards what follows, and is held while tor is asked
	as        string     // of which consensus: its valid-after
	consensus *path.Consensus
	terms     map[string]published
	families  map[string]path.Family // of the relays that were drawn since that consensus
	countries map[netip.Addr]string  // of the addresses that were asked for since then

	changedMu sync.Mutex // guards what follows
	changed   map[string]struct{}
	all       bool // may have changed
}

// published is what a relay's descriptor asks: terms, or what is wrong with them.
type published struct {
	policies.Terms
	err error
}

func newDirectory() *directory {
	return &directory{terms: make(map[string]published), all: true}
}

// Events implements [tor.Handler].
func (d *directory) Events() []string { return []string{"NEWDESC"} }

// Connected implements [tor.Handler]: nobody knows what was missed.
func (d *directory) Connected(context.Context, *tor.Conn) error {
	d.changedMu.Lock()
	defer d.changedMu.Unlock()
	d.all = true
	return nil
}

// Disconnected implements [tor.Handler].
func (d *directory) Disconnected(error) {}

// Event implements [tor.Handler]: NEWDESC $FINGERPRINT~nickname … (control-spec §4.1.3).
func (d *directory) Event(_ context.Context, e controlspec.Reply) {
	name, relays, _ := strings.Cut(e.Lines[0].Text, " ")
	if name != "NEWDESC" {
		return
	}
	d.changedMu.Lock()
	defer d.changedMu.Unlock()
	if d.changed == nil {
		d.changed = make(map[string]struct{})
	}
	for _, relay := range strings.Fields(relays) {
		if hex := strings.TrimPrefix(relay, "$"); len(hex) >= 40 {
			d.changed[strings.ToUpper(hex[:40])] = struct{}{}
		}
	}
}

// takeChanged says whose descriptors are to be read.
func (d *directory) takeChanged() (changed map[string]struct{}, all bool) {
	d.changedMu.Lock()
	defer d.changedMu.Unlock()
	changed, all = d.changed, d.all
	d.changed, d.all = nil, false
	return changed, all
}

func (d *directory) untakeAll() {
	d.changedMu.Lock()
	defer d.changedMu.Unlock()
	d.all = true
}

// refreshLocked reads what is new.
func (d *directory) refreshLocked(ctx context.Context, t *tor.Client) error {
	if err := d.consensusLocked(ctx, t); err != nil {
		return err
	}
	changed, all := d.takeChanged()
	var read []string
	for _, r := range d.consensus.Relays {
		if _, is := changed[r.Fingerprint]; is || all {
			read = append(read, r.Fingerprint)
		}
	}
	for some := range slices.Chunk(read, descriptorsAtOnce) {
		if err := d.readLocked(ctx, t, some); err != nil {
			d.untakeAll()
			return err
		}
	}
	return nil
}

// consensusLocked reads the consensus if there is another one.
func (d *directory) consensusLocked(ctx context.Context, t *tor.Client) error {
	as, err := t.Info(ctx, "consensus/valid-after")
	if refused := new(controlspec.ReplyError); err != nil && !errors.As(err, &refused) {
		return err
	}
	if as == "" || as != d.as || d.consensus == nil { // a tor that does not say is asked each time
		text, err := t.Consensus(ctx)
		if err != nil {
			return err
		}
		if d.consensus, err = path.ParseConsensus(text); err != nil {
			return err
		}
		d.as, d.families, d.countries = as, make(map[string]path.Family), make(map[netip.Addr]string)
	}
	return nil
}

// descriptorsAtOnce is how many descriptors are asked for in one go.
const descriptorsAtOnce = 64

// readLocked reads descriptors.
func (d *directory) readLocked(ctx context.Context, t *tor.Client, relays []string) error {
	contacts, err := t.Contacts(ctx, relays)
	if err != nil {
		return err
	}
	for _, relay := range relays {
		delete(d.terms, relay)
		terms, err := policies.ParseContact(contacts[relay], relay)
		if !errors.Is(err, policies.ErrNoTerms) {
			d.terms[relay] = published{terms, err}
		}
	}
	return nil
}

// countryLocked is where an address is, asked for once.
func (d *directory) countryLocked(ctx context.Context, t *tor.Client, a netip.Addr) string {
	country, known := d.countries[a]
	if !known {
		country = t.Country(ctx, a)
		d.countries[a] = country
	}
	return country
}

// familyLocked is what a relay says of its family, asked for once. micro says by what
// tor extends to relays of the consensus.
func (d *directory) familyLocked(ctx context.Context, t *tor.Client, relay string, micro bool) (path.Family, error) {
	if f, known := d.families[relay]; known {
		return f, nil
	}
	descriptor := t.Descriptor
	if _, listed := d.consensus.Relay(relay); listed && micro {
		descriptor = t.Microdescriptor
	}
	text, err := descriptor(ctx, relay)
	if errors.Is(err, tor.ErrNoDescriptor) {
		return path.Family{}, path.ErrNoDescriptor // it may come
	}
	if err != nil {
		return path.Family{}, err
	}
	f := path.ParseFamily(text)
	d.families[relay] = f
	return f, nil
}
