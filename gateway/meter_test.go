package gateway

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/el-tor/tops/paystream"
)

// Whatever the order of what the engine says and what tunnels take: no pay
// stream is ever given more than it was allowed, what is taken is what is used,
// and nothing is given to one that was stopped.
func TestMeters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := meters{by: make(map[paystream.Handle]*meter)}
		type grant struct {
			from *meter
			n    int64
		}
		var (
			handles = []paystream.Handle{"a", "b", "c"}
			allowed = make(map[*meter]int64) // the most that it was ever allowed
			used    = make(map[*meter]int64)
			seen    = make(map[paystream.Handle]*meter) // stopped ones too
			stopped = make(map[*meter]bool)
			grants  []grant
		)
		handle := rapid.SampledFrom(handles)
		note := func() {
			for h, m := range s.by {
				seen[h] = m
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"allow": func(t *rapid.T) {
				h, n := handle.Draw(t, "handle"), rapid.Int64Range(0, 1000).Draw(t, "bytes")
				s.Allow(h, n)
				m := s.by[h]
				allowed[m] = max(allowed[m], n)
				note()
			},
			"take": func(t *rapid.T) {
				m := seen[handle.Draw(t, "handle")]
				if m == nil {
					return
				}
				from, n, wait := m.take(rapid.Int64Range(1, 300).Draw(t, "bytes"))
				if n < 0 || n > 0 && wait != nil {
					t.Fatalf("took %d, and wait is %v", n, wait)
				}
				if stopped[from] && (n > 0 || wait != nil) {
					t.Fatalf("took %d from a pay stream that was stopped", n)
				}
				used[from] += n
				if n > 0 {
					grants = append(grants, grant{from, n})
				}
			},
			"give back": func(t *rapid.T) {
				if len(grants) == 0 {
					return
				}
				g := grants[len(grants)-1]
				grants = grants[:len(grants)-1]
				n := rapid.Int64Range(0, g.n).Draw(t, "bytes")
				g.from.giveBack(n)
				used[g.from] -= n
			},
			"move": func(t *rapid.T) {
				s.Move(handle.Draw(t, "old"), handle.Draw(t, "new")) // even in circles
				note()
			},
			"stop": func(t *rapid.T) {
				h := handle.Draw(t, "handle")
				if m := s.by[h]; m != nil {
					stopped[m] = true
				}
				s.Stop(h, paystream.ReasonLate)
			},
			"": func(t *rapid.T) {
				for m, n := range used {
					if m.used != n || n > allowed[m] {
						t.Fatalf("used %d, counted %d, allowed %d", n, m.used, allowed[m])
					}
				}
				for _, h := range handles {
					if m := s.by[h]; m != nil && s.Used(h) != used[m] {
						t.Fatalf("Used(%s) = %d, want %d", h, s.Used(h), used[m])
					}
				}
			},
		})
	})
}

// Every form in which an address can hide another is seen through.
func TestMeanings(t *testing.T) {
	for outer, inner := range map[string]string{
		"::ffff:10.0.0.1": "10.0.0.1", "64:ff9b::10.0.0.1": "10.0.0.1", "2002:a00:1::1": "10.0.0.1",
		"2606:4700::5efe:a00:1": "10.0.0.1", "2606:4700::200:5efe:a00:1": "10.0.0.1", "2606:4700::100:5efe:a00:1": "10.0.0.1",
	} {
		list := meanings(netip.MustParseAddr(outer))
		if got := list[len(list)-1]; got != netip.MustParseAddr(inner) {
			t.Errorf("%s means %v, not %s", outer, list, inner)
		}
	}
	for _, plain := range []string{"8.8.4.4", "2606:4700::1111"} {
		if list := meanings(netip.MustParseAddr(plain)); len(list) != 1 {
			t.Errorf("%s means %v", plain, list)
		}
	}
}
