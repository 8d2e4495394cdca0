package relay

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal"
	"github.com/el-tor/tops/policies"
)

// testNode is Core Lightning as package app hands it to a relay.
type testNode struct{ *cln.Receiver }

func (n testNode) Offer(ctx context.Context, description string) (string, error) {
	o, err := n.Receiver.Offer(ctx, description)
	return o.Bolt12, err
}

// keeper is a relay that has no tor, at a moment of the test's.
type keeper struct {
	*Relay
	t    *testing.T
	sim  *clnsim.World
	conf config.Relay
	node *cln.Client
	now  time.Time
}

// start starts the relay again, with what its journal remembers.
func (k *keeper) start(journal paystream.PayeeJournal, rateMsat int64) {
	k.t.Helper()
	k.Relay = &Relay{cfg: Config{Relay: &k.conf, Node: testNode{cln.NewReceiver(k.node, cln.ReceiverOptions{})}, Failed: func(err error) { k.t.Error(err) }}}
	k.me.Store(&Identity{Fingerprint: strings.Repeat("A", 40)})
	k.Payee = paystream.NewPayee(paystream.PayeeConfig{
		Terms: k.terms(rateMsat), Carrier: gateway.NewServer(gateway.Config{}), Receiver: k.cfg.Node, Journal: journal,
		Ours: func(id string) bool { return slices.Contains(*k.offers.Load(), id) }, Now: func() time.Time { return k.now },
	})
	if err := k.Recover(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

func (k *keeper) terms(rateMsat int64) policies.Terms {
	k.t.Helper()
	t := policies.DefaultTerms(strings.Repeat("A", 40), policies.Descriptor{}, netip.MustParseAddrPort("192.0.2.1:9402"))
	t.RateMsat = rateMsat
	t, err := k.offer(k.t.Context(), t)
	if err != nil {
		k.t.Fatal(err)
	}
	return t
}

// active fails unless these offers of the node are active, by a word in them, and no other is.
func (k *keeper) active(when string, want ...string) {
	k.t.Helper()
	k.disableOffers(k.t.Context())
	all, err := k.node.ListOffers(k.t.Context())
	if err != nil {
		k.t.Fatal(err)
	}
	for _, o := range all {
		is := slices.ContainsFunc(want, func(w string) bool { return strings.Contains(o.Description, w) })
		if o.Active != is {
			k.t.Errorf("%s: active %v: %s", when, o.Active, o.Description)
		}
	}
}

func newKeeper(t *testing.T) *keeper {
	w := clnsim.NewWorld(clnsim.Options{InvoiceExpiry: time.Nanosecond})
	t.Cleanup(w.Close)
	k := &keeper{t: t, sim: w, now: time.Unix(1_900_000_000, 0)}
	path := filepath.Join(t.TempDir(), "rpc")
	if err := errors.Join(w.AddNode("node", clnsim.NodeOptions{}), w.Start("node", path)); err != nil {
		t.Fatal(err)
	}
	k.node = cln.NewClient(path)
	t.Cleanup(func() { k.node.Close() })
	return k
}

// An offer of former terms lives as long as anybody may pay by it, over restarts too.
func TestOffersOfFormerTerms(t *testing.T) {
	k := newKeeper(t)
	journal := memjournal.New()
	if _, err := k.node.MakeOffer(t.Context(), "of somebody else"); err != nil {
		t.Fatal(err)
	}
	const first, second, third, other = "topsratemsat:1001", "topsratemsat:2001", "topsratemsat:3001", "somebody else"
	k.start(journal, 1001)
	k.active("at first", first, other)

	preimage := paystream.NewPreimage()
	if _, err := k.Admit(t.Context(), paystream.Intent{Hash: preimage.Hash(), TermsHash: k.Terms().Hash()}); err != nil {
		t.Fatal(err)
	}
	prepare := func(rate int64) {
		t.Helper()
		if err := k.SetTerms(t.Context(), k.terms(rate)); err != nil {
			t.Fatal(err)
		}
	}
	next := k.terms(2001)
	k.active("before the new terms are in force", first, second, other)
	if err := k.SetTerms(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	k.now = k.now.Add(paystream.RememberFor - time.Second)
	k.active("while they are accepted", first, second, other)
	k.now = k.now.Add(2 * time.Second)
	k.active("while a pay stream goes by them", first, second, other)
	if _, err := k.End(t.Context(), preimage.Hash(), preimage); err != nil {
		t.Fatal(err)
	}
	k.active("when nothing does", second, other)

	prepare(1001) // the same again: found, and switched on
	k.active("back", first, second, other)
	k.now = k.now.Add(paystream.RememberFor + time.Second)
	k.start(journal, 3001)
	k.active("after a restart", first, third, other) // the first was in force until then
	k.now = k.now.Add(paystream.RememberFor + time.Second)
	k.start(journal, 3001)
	k.active("after another", third, other)
}

// A relay that publishes a BIP 353 name refuses one that leads to another offer than its own.
func TestBIP353(t *testing.T) {
	k := newKeeper(t)
	k.conf.BIP353 = "relay@example.com"
	ask := func() (policies.Terms, error) {
		k.Relay = &Relay{cfg: Config{Relay: &k.conf, Node: testNode{cln.NewReceiver(k.node, cln.ReceiverOptions{})}}}
		terms := policies.DefaultTerms(strings.Repeat("A", 40), policies.Descriptor{}, netip.MustParseAddrPort("192.0.2.1:9402"))
		return k.offer(t.Context(), terms)
	}
	if terms, err := ask(); err != nil || terms.Descriptor != (policies.Descriptor{Kind: policies.BIP353, Value: "relay@example.com"}) {
		t.Errorf("a name that cannot be resolved: %v, %v", terms.Descriptor, err)
	}
	offers, err := k.node.ListOffers(t.Context())
	if err != nil || len(offers) != 1 {
		t.Fatalf("%v, %v", offers, err)
	}
	k.sim.SetName("relay@example.com", mustOffer(t, k.node))
	if _, err := ask(); err == nil || !strings.Contains(err.Error(), offers[0].Bolt12) {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
	k.sim.SetName("relay@example.com", offers[0].Bolt12)
	terms, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	if needed := neededOffers([]policies.Terms{terms}, ""); !needed(offers[0]) {
		t.Error("the offer behind the name is not needed")
	}
}

// Expired invoices of the relay go, and no others.
func TestSweepsItsOwn(t *testing.T) {
	k := newKeeper(t)
	k.start(memjournal.New(), 1000)
	note := strings.Repeat("ab", 32)
	mine := paystream.InvoiceDescription(k.Terms())
	for label, description := range map[string]string{
		note + "-0": mine, note + "-1": "TOPS relay " + strings.Repeat("B", 40), "shop-1": mine, note: mine,
	} {
		if _, err := k.node.MakeInvoice(t.Context(), label, 1000, description, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, offer := range []string{k.Terms().Descriptor.Value, mustOffer(t, k.node)} {
		if _, err := k.node.FetchInvoice(t.Context(), offer, 1000, note, note, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (labels []string) {
		rows, err := k.node.ListInvoices(t.Context(), 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			labels = append(labels, r.Label)
		}
		return labels
	}
	var from uint64
	for end := time.Now().Add(20 * time.Second); len(left()) > 4 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		from = k.sweep(t.Context(), from)
	}
	got := left()
	if len(got) != 4 || slices.Contains(got, note+"-0") || !slices.Contains(got, note+"-1") || !slices.Contains(got, "shop-1") || !slices.Contains(got, note) {
		t.Errorf("left: %q", got)
	}
}

func mustOffer(t *testing.T, node *cln.Client) string {
	t.Helper()
	o, err := node.MakeOffer(t.Context(), "of somebody else")
	if err != nil {
		t.Fatal(err)
	}
	return o.Bolt12
}
