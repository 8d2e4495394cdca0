package path

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// fp is a relay's fingerprint in these tests.
func fp(n int) string { return fmt.Sprintf("%040X", n) }

// relayAt is number n, in a network of its own unless said otherwise.
func relayAt(n int, flags string) Relay {
	return Relay{
		Fingerprint: fp(n), Nickname: fmt.Sprint("r", n), Bandwidth: 100,
		Addrs: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(n), 0, 1}), 9001)},
		Flags: strings.Fields("Running Valid " + flags),
	}
}

func consensusOf(relays ...Relay) *Consensus {
	c := &Consensus{Relays: relays, index: make(map[string]int)}
	for i, r := range relays {
		c.index[r.Fingerprint] = i
	}
	return c
}

// small is a world of two guards, three relays between, and three exits.
func small() *Chooser {
	var relays []Relay
	for n := range 8 {
		relays = append(relays, relayAt(n, "Fast Stable"))
	}
	c := &Chooser{
		Consensus: consensusOf(relays...), Thrift: 2, Random: rand.New(rand.NewPCG(1, 2)).Float64,
		Family:  func(string) (Family, error) { return Family{}, nil },
		Country: func(netip.Addr) string { return "??" },
	}
	for n := range 2 {
		c.Guards = append(c.Guards, Guard{Relay: relays[n]})
	}
	for n := 5; n < 8; n++ {
		c.Exits = append(c.Exits, Exit{Fingerprint: fp(n), Price: 1000, Experience: 1})
	}
	return c
}

// families has relays say that others are theirs.
func families(f map[int][]int) func(string) (Family, error) {
	return func(of string) (out Family, _ error) {
		for n, members := range f {
			if fp(n) == of {
				for _, m := range members {
					out.Members = append(out.Members, "$"+fp(m))
				}
			}
		}
		return out, nil
	}
}

func parse(t *testing.T, conf map[string][]string) Rules {
	t.Helper()
	r, err := ParseRules(conf)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestChoose(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*testing.T, *Chooser)
		request Request
		guards  []int // that may come; nil: no path at all
		middles []int
		exits   []int
		refused string // what the error says
	}{
		{name: "as it is", guards: []int{0}, middles: []int{1, 2, 3, 4, 5, 6, 7}, exits: []int{5, 6, 7}},
		{name: "an exit has just failed", request: Request{Avoid: []string{fp(5), fp(6)}},
			guards: []int{0}, middles: []int{1, 2, 3, 4}, exits: []int{7}},
		{name: "so have a guard and a relay between", request: Request{Avoid: []string{fp(0), fp(3)}},
			guards: []int{1}, middles: []int{2, 4, 5, 6, 7}, exits: []int{5, 6, 7}},
		{name: "the first guard is of the exit's family", change: func(_ *testing.T, c *Chooser) {
			c.Exits = c.Exits[:1]
			c.Family = families(map[int][]int{0: {5}, 5: {0}})
		}, guards: []int{1}, middles: []int{2, 3, 4, 6, 7}, exits: []int{5}},
		{name: "one-sided claims do not shape a path", change: func(_ *testing.T, c *Chooser) {
			c.Exits = c.Exits[:1]
			c.Family = families(map[int][]int{5: {0, 1, 2, 3}})
		}, guards: []int{0}, middles: []int{1, 2, 3, 4, 6, 7}, exits: []int{5}},
		{name: "an exit whose family has all guards is passed over", change: func(_ *testing.T, c *Chooser) {
			c.Family = families(map[int][]int{0: {5}, 1: {5}, 5: {0, 1}})
		}, guards: []int{0}, middles: []int{1, 2, 3, 4, 6, 7}, exits: []int{6, 7}},
		{name: "one network", change: func(_ *testing.T, c *Chooser) {
			for n := range c.Relays {
				c.Relays[n].Addrs = relayAt(n%3, "").Addrs // 0,3,6  1,4,7  2,5
			}
			c.Exits = c.Exits[:1]
			c.Guards = []Guard{{Relay: c.Relays[0]}}
		}, guards: []int{0}, middles: []int{1, 4, 7}, exits: []int{5}},
		{name: "one network, which the user allows", change: func(t *testing.T, c *Chooser) {
			for n := range c.Relays {
				c.Relays[n].Addrs = relayAt(0, "").Addrs
			}
			c.Rules = parse(t, map[string][]string{"enforcedistinctsubnets": {"0"}})
		}, guards: []int{0}, middles: []int{1, 2, 3, 4, 5, 6, 7}, exits: []int{5, 6, 7}},
		{name: "all in one network", change: func(_ *testing.T, c *Chooser) {
			for n := range c.Relays {
				c.Relays[n].Addrs = relayAt(0, "").Addrs
			}
			for n := range c.Guards {
				c.Guards[n].Addrs = relayAt(0, "").Addrs
			}
		}, refused: "is of its network"},
		{name: "ExcludeNodes", change: func(t *testing.T, c *Chooser) {
			c.Rules = parse(t, map[string][]string{"excludenodes": {strings.Join([]string{fp(0), fp(2), fp(5), "r6"}, ",")}})
		}, guards: []int{1}, middles: []int{3, 4}, exits: []int{7}},
		{name: "ExcludeExitNodes", change: func(t *testing.T, c *Chooser) {
			c.Rules = parse(t, map[string][]string{"excludeexitnodes": {"11.5.0.0/16,11.6.0.0/16"}})
		}, guards: []int{0}, middles: []int{1, 2, 3, 4, 5, 6}, exits: []int{7}},
		{name: "ExitNodes and EntryNodes", change: func(t *testing.T, c *Chooser) {
			c.Rules = parse(t, map[string][]string{"exitnodes": {"r6,r2"}, "entrynodes": {"r1"}})
		}, guards: []int{1}, middles: []int{0, 2, 3, 4, 5, 7}, exits: []int{6}},
		{name: "a country", change: func(t *testing.T, c *Chooser) {
			c.Country = func(a netip.Addr) string { return map[byte]string{5: "DE", 3: "DE"}[a.As4()[1]] + "" }
			c.Rules = parse(t, map[string][]string{"excludenodes": {"{de}"}, "geoipexcludeunknown": {"0"}})
		}, guards: []int{0}, middles: []int{1, 2, 4, 6, 7}, exits: []int{6, 7}},
		{name: "NodeFamily", change: func(t *testing.T, c *Chooser) {
			c.Exits = c.Exits[:1]
			c.Rules = parse(t, map[string][]string{"nodefamily": {"r5,r0,r2", "r1,r3"}})
		}, guards: []int{1}, middles: []int{4, 6, 7}, exits: []int{5}},
		{name: "named by the user, excluded in tor", change: func(t *testing.T, c *Chooser) {
			c.Exits = []Exit{{Fingerprint: fp(5), Experience: 1, Named: true}}
			c.Rules = parse(t, map[string][]string{"excludenodes": {"r5"}})
		}, guards: []int{0}, middles: []int{1, 2, 3, 4, 6, 7}, exits: []int{5}},
		{name: "the same with StrictNodes", change: func(t *testing.T, c *Chooser) {
			c.Exits = []Exit{{Fingerprint: fp(5), Experience: 1, Named: true}}
			c.Rules = parse(t, map[string][]string{"excludenodes": {"r5"}, "strictnodes": {"1"}})
		}, refused: "excluded by tor's ExcludeNodes or ExcludeExitNodes: 1"},
		{name: "Fast before the rest", change: func(_ *testing.T, c *Chooser) {
			for _, n := range []int{1, 2, 3, 5, 6} {
				c.Relays[n].Flags = strings.Fields("Running Valid Stable")
			}
		}, guards: []int{0}, middles: []int{4}, exits: []int{7}},
		{name: "not Fast, when there is nothing else", change: func(_ *testing.T, c *Chooser) {
			for n := range c.Relays {
				c.Relays[n].Flags = strings.Fields("Running Valid")
			}
		}, guards: []int{0}, middles: []int{1, 2, 3, 4, 5, 6, 7}, exits: []int{5, 6, 7}},
		{name: "Stable is not asked for", change: unstable(1, 2, 3, 5, 6),
			guards: []int{0}, middles: []int{1, 2, 3, 4, 5, 6, 7}, exits: []int{5, 6, 7}},
		{name: "Stable is", change: unstable(1, 2, 3, 5, 6), request: Request{Stable: true},
			guards: []int{0}, middles: []int{4}, exits: []int{7}},
		{name: "relays that are gone, or bad exits", change: func(_ *testing.T, c *Chooser) {
			c.Relays[2].Flags, c.Relays[5].Flags = []string{"Valid", "Fast"}, []string{"Running", "Fast"}
			c.Relays[6].Flags = append(c.Relays[6].Flags, "BadExit")
		}, guards: []int{0}, middles: []int{1, 3, 4, 6}, exits: []int{7}},
		{name: "no descriptor", change: func(_ *testing.T, c *Chooser) {
			c.Family = func(of string) (Family, error) {
				if of == fp(0) || of == fp(3) || of == fp(6) {
					return Family{}, ErrNoDescriptor
				}
				return Family{}, nil
			}
		}, guards: []int{1}, middles: []int{2, 4, 5, 7}, exits: []int{5, 7}},
		{name: "no guard", change: func(_ *testing.T, c *Chooser) { c.Guards = nil }, refused: "tor has no guard that is up"},
		{name: "no exit", change: func(_ *testing.T, c *Chooser) { c.Exits = nil }, refused: "none is known"},
		{name: "nothing between", change: func(t *testing.T, c *Chooser) {
			c.Rules = parse(t, map[string][]string{"excludenodes": {"r1,r2,r3,r4,r6,r7"}})
		}, refused: "no relay between"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := small()
			if tc.change != nil {
				tc.change(t, c)
			}
			seen := [3]map[int]bool{{}, {}, {}}
			for range 200 {
				p, err := c.Choose(tc.request)
				if tc.refused != "" {
					if err == nil || !strings.Contains(err.Error(), tc.refused) {
						t.Fatalf("path %v, error %v; want one that says %q", p.Hops, err, tc.refused)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for i, hop := range p.Hops {
					for n := range c.Relays {
						if fp(n) == hop {
							seen[i][n] = true
						}
					}
				}
			}
			for i, want := range [][]int{tc.guards, tc.middles, tc.exits} {
				var got []int
				for n := range c.Relays {
					if seen[i][n] {
						got = append(got, n)
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("hop %d is one of %v, want %v", i+1, got, want)
				}
			}
		})
	}
}

// unstable takes the flag Stable from relays.
func unstable(which ...int) func(*testing.T, *Chooser) {
	return func(_ *testing.T, c *Chooser) {
		for _, n := range which {
			c.Relays[n].Flags = strings.Fields("Running Valid Fast")
		}
	}
}

// Who is drawn how often follows from bandwidth, position, price and experience.
func TestShares(t *testing.T) {
	c := small()
	c.Relays[5].Bandwidth, c.Relays[6].Bandwidth, c.Relays[7].Bandwidth = 100, 200, 400
	c.Relays[7].Flags = append(c.Relays[7].Flags, "Guard")
	c.Weights = map[string]int64{"Wem": 10_000, "Weg": 5_000}
	for _, tc := range []struct {
		name   string
		price  [3]float64
		known  [3]float64
		thrift float64
		want   [3]float64
	}{
		{"bandwidth and position", [3]float64{1, 1, 1}, [3]float64{1, 1, 1}, 2, [3]float64{100, 200, 200}},
		{"price", [3]float64{1, 2, 4}, [3]float64{1, 1, 1}, 2, [3]float64{400, 200, 50}},
		{"price that does not matter", [3]float64{1, 2, 4}, [3]float64{1, 1, 1}, 0, [3]float64{100, 200, 200}},
		{"undercutting is bounded", [3]float64{1, 2000, 4000}, [3]float64{1, 1, 1}, 2, [3]float64{800, 200, 50}},
		{"a price that is not known is usual", [3]float64{0, 2, 1}, [3]float64{1, 1, 1}, 2, [3]float64{100, 50, 200}},
		{"experience", [3]float64{1, 1, 1}, [3]float64{4, 0.01, 1}, 2, [3]float64{400, 2, 200}},
	} {
		for i := range c.Exits {
			c.Exits[i].Price, c.Exits[i].Experience = tc.price[i], tc.known[i]
		}
		c.Thrift = tc.thrift
		got, drawn := c.Shares(), make(map[string]float64)
		const draws = 5_000
		for range draws {
			p, err := c.Choose(Request{})
			if err != nil {
				t.Fatal(err)
			}
			drawn[p.Hops[2]]++
		}
		sum := tc.want[0] + tc.want[1] + tc.want[2]
		for i, w := range tc.want {
			if share := got[fp(5+i)]; math.Abs(share-w/sum) > 1e-9 {
				t.Errorf("%s: exit %d has a share of %.4f, want %.4f", tc.name, i, share, w/sum)
			}
			if share := drawn[fp(5+i)] / draws; math.Abs(share-w/sum) > 0.03 {
				t.Errorf("%s: exit %d was drawn for %.4f of the paths, want %.4f", tc.name, i, share, w/sum)
			}
		}
	}
}

// A middle relay is drawn by bandwidth, and guards less as the consensus has it.
func TestMiddleWeights(t *testing.T) {
	c := small()
	c.Exits = c.Exits[:1]
	c.Rules = parse(t, map[string][]string{"excludenodes": {"r1,r6,r7"}})
	c.Relays[2].Bandwidth, c.Relays[3].Bandwidth, c.Relays[4].Bandwidth = 100, 200, 200
	c.Relays[4].Flags = append(c.Relays[4].Flags, "Guard")
	c.Weights = map[string]int64{"Wmm": 10_000, "Wmg": 5_000}
	drawn := make(map[string]float64)
	const draws = 5_000
	for range draws {
		p, err := c.Choose(Request{})
		if err != nil {
			t.Fatal(err)
		}
		drawn[p.Hops[1]]++
	}
	for n, want := range map[int]float64{2: 0.25, 3: 0.5, 4: 0.25} {
		if got := drawn[fp(n)] / draws; math.Abs(got-want) > 0.03 {
			t.Errorf("relay %d was in the middle of %.4f of the paths, want %.4f", n, got, want)
		}
	}
}
