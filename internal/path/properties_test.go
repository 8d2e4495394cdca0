package path

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Whatever the network and the rules: a path breaks none of them, and there is one if
// any could be found by looking at all.
func TestChooseProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := randomChooser(t)
		r := Request{Stable: rapid.Bool().Draw(t, "stable")}
		for _, x := range c.Exits {
			if rapid.IntRange(0, 4).Draw(t, "avoided") == 0 {
				r.Avoid = append(r.Avoid, x.Fingerprint)
			}
		}
		possible := false
		for _, g := range c.Guards {
			for _, x := range c.Exits {
				for _, m := range c.Relays {
					possible = possible || lawful(c, r, g.Fingerprint, m.Fingerprint, x.Fingerprint)
				}
			}
		}
		p, err := c.Choose(r)
		if (err == nil) != possible {
			t.Fatalf("path %v, %v; one is possible: %v", p.Hops, err, possible)
		}
		if err == nil && !lawful(c, r, p.Hops[0], p.Hops[1], p.Hops[2]) {
			t.Fatalf("path %v breaks a rule", p.Hops)
		}
	})
}

// randomChooser is a small network with all that can be in the way.
func randomChooser(t *rapid.T) *Chooser {
	c := small()
	n := rapid.IntRange(3, 9).Draw(t, "relays")
	var relays []Relay
	said := make(map[int][]int)
	some := func(name string) bool { return rapid.IntRange(0, 3).Draw(t, name) == 0 }
	for i := range n {
		r := relayAt(rapid.IntRange(0, 6).Draw(t, "network"), "")
		r.Fingerprint, r.Nickname = fp(i), fmt.Sprint("r", i)
		r.Flags = nil
		for _, flag := range []string{"Running", "Valid", "Fast", "Stable", "Guard", "Exit", "BadExit"} {
			if some(flag) == (flag == "BadExit") {
				r.Flags = append(r.Flags, flag)
			}
		}
		r.Bandwidth = int64(rapid.IntRange(0, 3).Draw(t, "bandwidth"))
		relays = append(relays, r)
		for range rapid.IntRange(0, 3).Draw(t, "family") {
			said[i] = append(said[i], rapid.IntRange(0, n-1).Draw(t, "member"))
		}
	}
	c.Consensus, c.Guards, c.Exits = consensusOf(relays...), nil, nil
	without := rapid.IntRange(0, n).Draw(t, "without a descriptor")
	say := families(said)
	c.Family = func(of string) (Family, error) {
		if of == fp(without) {
			return Family{}, ErrNoDescriptor
		}
		return say(of)
	}
	for i, r := range relays {
		if i%3 == 0 || some("guard") {
			c.Guards = append(c.Guards, Guard{r, some("named guard")})
		}
		if i%3 == 2 || some("exit") {
			c.Exits = append(c.Exits, Exit{r.Fingerprint, float64(rapid.IntRange(0, 3).Draw(t, "price")), 1, some("named exit")})
		}
	}
	conf := make(map[string][]string)
	for _, option := range []string{"excludenodes", "excludeexitnodes", "entrynodes", "exitnodes", "nodefamily"} {
		if some(option) {
			conf[option] = []string{fmt.Sprintf("r%d,r%d", rapid.IntRange(0, n).Draw(t, "one"), rapid.IntRange(0, n).Draw(t, "another"))}
		}
	}
	conf["strictnodes"] = []string{fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "strict"))}
	conf["enforcedistinctsubnets"] = []string{fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "subnets"))}
	var err error
	if c.Rules, err = ParseRules(conf); err != nil {
		t.Fatal(err)
	}
	return c
}

// lawful holds a path against the rules, one after the other, as they are written.
func lawful(c *Chooser, r Request, guard, middle, exit string) bool {
	g, _ := c.Relay(guard)
	m, _ := c.Relay(middle)
	x, _ := c.Relay(exit)
	i := slices.IndexFunc(c.Guards, func(g Guard) bool { return g.Fingerprint == guard })
	j := slices.IndexFunc(c.Exits, func(x Exit) bool { return x.Fingerprint == exit })
	if i < 0 || j < 0 || slices.Contains(r.Avoid, exit) || slices.Contains(r.Avoid, middle) || slices.Contains(r.Avoid, guard) || x.Is("BadExit") {
		return false
	}
	for _, between := range []Relay{m, x} {
		if !between.Is("Running") || !between.Is("Valid") {
			return false
		}
	}
	hops := []Relay{g, m, x}
	for a := range hops {
		fa, err := c.Family(hops[a].Fingerprint)
		if err != nil {
			return false
		}
		for b := range a {
			fb, _ := c.Family(hops[b].Fingerprint)
			if hops[a].Fingerprint == hops[b].Fingerprint || related(hops[a], hops[b], fa, fb) ||
				!c.Rules.SubnetsMay && neighbours(hops[a], hops[b]) {
				return false
			}
			for _, f := range c.Rules.Families {
				if f.has(hops[a], c.Country) && f.has(hops[b], c.Country) {
					return false
				}
			}
		}
	}
	if c.Rules.Exclude.has(m, c.Country) {
		return false
	}
	if !c.Guards[i].Named || c.Rules.Strict {
		if c.Rules.Exclude.has(g, c.Country) || !c.Rules.Entry.empty() && !c.Rules.Entry.has(g, c.Country) {
			return false
		}
	}
	if !c.Exits[j].Named || c.Rules.Strict {
		if c.Rules.Exclude.has(x, c.Country) || c.Rules.ExcludeExit.has(x, c.Country) || !c.Rules.Exit.empty() && !c.Rules.Exit.has(x, c.Country) {
			return false
		}
	}
	return true
}
