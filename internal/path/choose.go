package path

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Exit is a relay that can be paid.
type Exit struct {
	Fingerprint string
	Price       float64 // in any unit, the same for all; 0: not known
	Experience  float64 // what this client has seen of it: 1 for nothing, more for good
	Named       bool    // by the user: stronger than tor's options, unless StrictNodes is 1
}

// Guard is an entry that tor would use, or that the user named.
type Guard struct {
	Relay
	Named bool // as with exits
}

// Chooser chooses paths from what is known at one moment.
type Chooser struct {
	*Consensus
	Rules  Rules
	Exits  []Exit
	Guards []Guard // the first choice first
	Thrift float64 // how much a low price counts: a power of it; 0: not at all

	// Family is what a relay's descriptor says of its family; ErrNoDescriptor for a
	// relay that tor cannot extend to, since it holds no descriptor of it.
	Family func(fingerprint string) (Family, error)
	// Country is where an address is: two letters, or "??".
	Country func(netip.Addr) string
	Random  func() float64 // of [0, 1)
}

// ErrNoExit wraps the error of a choice for which no exit is left.
var ErrNoExit = errors.New("no relay can be paid")

// ErrNoDescriptor is what [Chooser.Family] returns for a relay without one.
var ErrNoDescriptor = errors.New("no descriptor")

// Request says what a path is for.
type Request struct {
	Avoid  []string // relays that will not do: those that have just failed
	Stable bool     // a connection that is to last
}

// Path is a path.
type Path struct {
	Hops   []string // fingerprints: guard, middle, exit
	Stable bool     // the middle and the exit are
}

// Choose chooses a guard, a middle relay and an exit. An exit that leaves no guard, or
// nothing between, is passed over for another.
func (c *Chooser) Choose(r Request) (Path, error) {
	why := &reasons{}
	exits := c.exits(why, r.Avoid)
	if len(exits) == 0 {
		return Path{}, fmt.Errorf("%w (%s)", ErrNoExit, why)
	}
	for len(exits) > 0 {
		i := c.draw(exits, r.Stable)
		p, err := c.around(exits[i].Relay, r, why)
		if err != nil || p.Hops != nil {
			return p, err
		}
		exits = slices.Delete(exits, i, i+1)
	}
	return Path{}, fmt.Errorf("no path leads to a relay that can be paid (%s)", why)
}

// around chooses what comes before an exit: the first guard that will do, and with
// which there is something between. No hops if nothing will do.
func (c *Chooser) around(exit Relay, r Request, why *reasons) (p Path, err error) {
	for _, g := range c.Guards {
		if slices.Contains(r.Avoid, g.Fingerprint) {
			why.add("guard " + g.Fingerprint + " failed a short while ago")
			continue
		}
		if ok, err := c.enters(g, exit, why); err != nil {
			return p, err
		} else if !ok {
			continue
		}
		if p, err = c.between(g.Relay, exit, r); err != nil || p.Hops != nil {
			return p, err
		}
		why.add("no relay between it and guard " + g.Fingerprint + " that is not excluded and of another network and family")
	}
	if len(c.Guards) == 0 {
		why.add("tor has no guard that is up")
	}
	return p, nil
}

// between chooses the relay in the middle; no hops if none will do.
func (c *Chooser) between(guard, exit Relay, r Request) (p Path, err error) {
	middles := c.middles(exit, guard, r.Avoid)
	for len(middles) > 0 {
		i := c.draw(middles, r.Stable)
		m := middles[i].Relay
		ok, err := c.apart(m, exit, guard)
		if err != nil {
			return p, err
		}
		if ok && !c.Rules.Exclude.has(m, c.Country) {
			return Path{[]string{guard.Fingerprint, m.Fingerprint, exit.Fingerprint}, m.Is("Stable") && exit.Is("Stable")}, nil
		}
		middles[i] = middles[len(middles)-1]
		middles = middles[:len(middles)-1]
	}
	return p, nil
}

// middles are the relays that may come between, as far as that is known without
// asking.
func (c *Chooser) middles(exit, guard Relay, avoid []string) (out []candidate) {
	for _, m := range c.Relays {
		if running(m) && !c.close(m, exit) && !c.close(m, guard) && !slices.Contains(avoid, m.Fingerprint) {
			out = append(out, candidate{m, c.weight(m, middlePosition)})
		}
	}
	return out
}

// exits are those that will do, weighed.
func (c *Chooser) exits(why *reasons, avoid []string) (out []candidate) {
	var fit []Exit
	for _, x := range c.Exits {
		if reason := c.Unfit(x, avoid); reason != "" {
			why.add(reason)
			continue
		}
		fit = append(fit, x)
	}
	usual := medianPrice(fit)
	for _, x := range fit {
		r, _ := c.Relay(x.Fingerprint)
		out = append(out, candidate{r, c.exitWeight(r) * c.cheapness(x.Price, usual) * x.Experience})
	}
	return out
}

// Unfit says why an exit will not do, whatever comes before it; empty if it will.
func (c *Chooser) Unfit(x Exit, avoid []string) string {
	r, known := c.Relay(x.Fingerprint)
	free := x.Named && !c.Rules.Strict // of tor's options
	switch {
	case !known || !running(r):
		return "not running"
	case slices.Contains(avoid, x.Fingerprint):
		return "failed a short while ago"
	case r.Is("BadExit"):
		return "a bad exit, by the consensus"
	case !free && (c.Rules.Exclude.has(r, c.Country) || c.Rules.ExcludeExit.has(r, c.Country)):
		return "excluded by tor's ExcludeNodes or ExcludeExitNodes"
	case !free && !c.Rules.Exit.empty() && !c.Rules.Exit.has(r, c.Country):
		return "not among tor's ExitNodes"
	}
	return ""
}

// enters reports whether a guard will do for an exit.
func (c *Chooser) enters(g Guard, exit Relay, why *reasons) (bool, error) {
	free := g.Named && !c.Rules.Strict // of tor's options
	switch {
	case c.close(g.Relay, exit):
		why.add("guard " + g.Fingerprint + " is of its network")
		return false, nil
	case !free && c.Rules.Exclude.has(g.Relay, c.Country):
		why.add("guard " + g.Fingerprint + " is excluded by tor's ExcludeNodes")
		return false, nil
	case !free && !c.Rules.Entry.empty() && !c.Rules.Entry.has(g.Relay, c.Country):
		why.add("guard " + g.Fingerprint + " is not among tor's EntryNodes")
		return false, nil
	}
	ok, err := c.apart(g.Relay, exit)
	if err == nil && !ok {
		why.add("guard " + g.Fingerprint + " is of its family, or a descriptor is missing")
	}
	return ok, err
}

// close reports whether two relays are the same, or would not go together for what is
// known without asking.
func (c *Chooser) close(a, b Relay) bool {
	if a.Fingerprint == b.Fingerprint || !c.Rules.SubnetsMay && neighbours(a, b) {
		return true
	}
	return slices.ContainsFunc(c.Rules.Families, func(s Set) bool { return s.has(a, c.Country) && s.has(b, c.Country) })
}

// apart reports whether tor can extend to a relay, and no other one is of its family.
func (c *Chooser) apart(r Relay, others ...Relay) (bool, error) {
	mine, err := c.Family(r.Fingerprint)
	for _, o := range others {
		var his Family
		if err == nil {
			his, err = c.Family(o.Fingerprint)
		}
		if err == nil && related(r, o, mine, his) {
			return false, nil
		}
	}
	if errors.Is(err, ErrNoDescriptor) {
		return false, nil
	}
	return err == nil, err
}

func running(r Relay) bool { return r.Is("Running") && r.Is("Valid") }
