package eltor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/eltor/eltorsim"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream"
)

// site is a client's tor, its relays, and a builder.
type site struct {
	*eltor.Builder
	client *eltorsim.Tor
	relays []*eltorsim.Tor
}

func newSite(t testing.TB) *site {
	t.Helper()
	w, err := eltorsim.NewWorld()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	s := &site{}
	for _, name := range []string{"guard", "middle", "exit"} {
		r, err := w.AddRelay(name, eltorsim.A)
		if err != nil {
			t.Fatal(err)
		}
		s.relays = append(s.relays, r)
	}
	if s.client, err = w.AddClient(eltorsim.A); err != nil {
		t.Fatal(err)
	}
	circuits := tor.NewCircuits()
	c, err := tor.Start(context.Background(), tor.Config{Options: tor.Options{Address: s.client.Address}, Handlers: []tor.Handler{circuits}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s.Builder = eltor.NewBuilder(c, circuits)
	return s
}

func (s *site) hops() (hops []eltor.Hop) {
	for _, r := range s.relays {
		hops = append(hops, eltor.Hop{Fingerprint: r.Fingerprint, Payload: eltor.NewPayload()})
	}
	return hops
}

func TestBuild(t *testing.T) {
	s := newSite(t)
	for range 100 { // in sequence
		c, err := s.Build(t.Context(), s.hops(), nil)
		if err != nil {
			t.Fatal(err)
		}
		<-c.Built()
	}
	if why := s.client.Died(); why != "" {
		t.Error(why)
	}
}

// TestBuildRefuses: what would kill tor is refused before tor hears of it, in the
// words that it would have used.
func TestBuildRefuses(t *testing.T) {
	s := newSite(t)
	for name, x := range map[string]struct {
		spoil func([]eltor.Hop) []eltor.Hop
		want  string
	}{
		"one hop":           {func(h []eltor.Hop) []eltor.Hop { return h[:1] }, "2 to 8 hops"},
		"no hop":            {func(h []eltor.Hop) []eltor.Hop { return nil }, "2 to 8 hops"},
		"nine hops":         {func(h []eltor.Hop) []eltor.Hop { return append(append(append(h, h...), h...), h...) }, "2 to 8 hops"},
		"unknown relay":     {func(h []eltor.Hop) []eltor.Hop { h[2].Fingerprint = relayFP; return h }, "552 No such router"},
		"lower case":        {func(h []eltor.Hop) []eltor.Hop { h[0].Fingerprint = strings.ToLower(h[0].Fingerprint); return h }, "not a fingerprint"},
		"a name":            {func(h []eltor.Hop) []eltor.Hop { h[0].Fingerprint = "guard"; return h }, "not a fingerprint"},
		"line end":          {func(h []eltor.Hop) []eltor.Hop { h[0].Fingerprint = h[0].Fingerprint[:38] + "\r\n"; return h }, "not a fingerprint"},
		"the same in a row": {func(h []eltor.Hop) []eltor.Hop { h[1] = h[0]; return h }, "same relay"},
		"nine ids":          {func(h []eltor.Hop) []eltor.Hop { h[1].Payload.RoundIDs = h[1].Payload.RoundIDs[:9]; return h }, "has 704 characters"},
		"no ids":            {func(h []eltor.Hop) []eltor.Hop { h[1].Payload.RoundIDs = nil; return h }, "has 128 characters"},
		"an id twice":       {func(h []eltor.Hop) []eltor.Hop { h[1].Payload.RoundIDs[3] = h[1].Payload.RoundIDs[4]; return h }, "twice"},
		"no hex": {func(h []eltor.Hop) []eltor.Hop {
			h[1].Payload.RoundIDs[3] = paystream.RoundID(strings.Repeat("z", 64))
			return h
		}, "hex digits"},
		"no payload": {func(h []eltor.Hop) []eltor.Hop { h[2].Payload = eltor.Payload{}; return h }, "has 128 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Build(t.Context(), x.spoil(s.hops()), nil)
			if err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%v, want %q", err, x.want)
			}
		})
	}
	s.relays[1].Hide(false, true)
	_, err := s.Build(t.Context(), s.hops(), nil)
	if no := new(controlspec.ReplyError); !errors.As(err, &no) || no.Code != 552 || !strings.HasPrefix(no.Text, "No descriptor") {
		t.Errorf("without a descriptor: %v", err)
	}
	s.relays[1].Hide(true, false)
	_, err = s.Build(t.Context(), s.hops(), nil)
	if no := new(controlspec.ReplyError); !errors.As(err, &no) || no.Code != 552 {
		t.Errorf("a relay that has left the consensus: %v", err)
	}
	for _, heard := range s.client.Heard() {
		if strings.Contains(heard, "EXTENDPAID") {
			t.Errorf("tor was told %.60q", heard)
		}
	}
	if why := s.client.Died(); why != "" {
		t.Error(why)
	}
}

// TestDoubleDies: the double dies of what kills the real one. Nothing of ours sends
// this: it goes by a bare connection.
func TestDoubleDies(t *testing.T) {
	good := eltor.NewPayload().String()
	for name, x := range map[string]struct{ data, args string }{
		"unknown relay":       {relayFP + " " + good + "\n", "0"},
		"no valid line":       {"nonsense\n" + relayFP + " short\n", "0"},
		"a circuit's id":      {relayFP + " " + good + "\n", "7"},
		"no descriptor":       {"hidden " + good + "\n", "0"},
		"an id of no circuit": {"", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.relays[0].Hide(false, true)
			conn, err := tor.Dial(t.Context(), tor.Options{Address: s.client.Address})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			data := strings.ReplaceAll(x.data, "hidden", s.relays[0].Fingerprint)
			_, _ = conn.DoBlock(t.Context(), controlspec.Command{Name: "EXTENDPAIDCIRCUIT", Args: x.args, Block: true, Data: data})
			<-conn.Done()
			if s.client.Died() == "" {
				t.Error("it lives")
			}
		})
	}
	t.Run("dropped lines", func(t *testing.T) { // and 250 all the same
		s := newSite(t)
		conn, err := tor.Dial(t.Context(), tor.Options{Address: s.client.Address})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		data := s.relays[0].Fingerprint + " " + good + "\n" + s.relays[1].Fingerprint + " x\n" + s.relays[2].Fingerprint + " " + good + "\n"
		if _, err := conn.DoBlock(t.Context(), controlspec.Command{Name: "EXTENDPAIDCIRCUIT", Args: "0", Block: true, Data: data}); err != nil {
			t.Fatal(err)
		}
		if s.relays[0].Circuits() != 1 || s.relays[1].Circuits() != 0 || s.relays[2].Circuits() != 1 {
			t.Error("the circuit is not shorter")
		}
	})
}

// FuzzBuild: nothing that a builder is given kills tor.
func FuzzBuild(f *testing.F) {
	s := newSite(f)
	f.Add(s.relays[0].Fingerprint, strings.Repeat("0a", 384), uint8(3))
	f.Add(relayFP, "", uint8(1))
	f.Add("", "\r\n.\r\nTEARDOWNCIRCUIT 0", uint8(9))
	f.Fuzz(func(t *testing.T, fingerprint, payload string, n uint8) {
		hops := s.hops()
		for i := range int(n % 12) {
			h := eltor.Hop{Fingerprint: fingerprint, Payload: eltor.NewPayload()}
			for at := 0; at+64 <= len(payload) && at < 640; at += 64 {
				h.Payload.RoundIDs[at/64] = paystream.RoundID(payload[at : at+64])
			}
			if len(payload)%64 != 0 {
				h.Payload.RoundIDs[i%10] = paystream.RoundID(payload)
			}
			hops = append(hops[:min(i, len(hops))], h)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, _ = s.Build(ctx, hops, nil)
		if why := s.client.Died(); why != "" {
			t.Fatalf("%q, %q, %d killed tor: %s", fingerprint, payload, n, why)
		}
	})
}

func TestProbe(t *testing.T) {
	w := newWorld(t)
	for dialect, want := range map[rune]eltor.Dialect{eltorsim.A: eltor.A, eltorsim.B: eltor.B} {
		tor1 := w.client(t, dialect)
		f, err := eltor.ProbeAt(t.Context(), tor.Options{Address: tor1.Address})
		if err != nil || f.Dialect != want || !f.Is() || !strings.Contains(f.Carrier(), "dialect "+want.String()) {
			t.Errorf("%c: %+v, %v", dialect, f, err)
		}
		if heard := strings.Join(tor1.Heard(), ""); strings.Contains(heard, "TEARDOWNCIRCUIT ") {
			t.Errorf("asked by ending something: %q", heard)
		}
	}
}
