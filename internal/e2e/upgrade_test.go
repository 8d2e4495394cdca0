package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
)

// upgrades has a controller that knows nothing of TOPS build circuits, with a
// profile that has them paid, and with one that has not.
func (w *world) upgrades(t *testing.T) {
	cfg := *w.client.cfg
	plain := filepath.Join(w.dir, "plain.sock")
	cfg.Proxy.Listen = append(cfg.Proxy.Listen[:1:1], "unix:"+plain+"?auth=own&mode=0660")
	for name, rule := range map[string]string{w.controlSocket(): "{ paid = true }", plain: "true"} {
		profile := fmt.Sprintf("[match]\nlisteners = [\"unix:%s\"]\n[commands]\nGETINFO = true\nEXTENDCIRCUIT = %s\nCLOSECIRCUIT = true\n[events]\nPAYSTREAM = true\n", name, rule)
		file := filepath.Join(w.dir, filepath.Base(name)+".toml")
		if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.Proxy.Policy = append(cfg.Proxy.Policy, file)
	}
	w.client.stop(t)
	w.client = w.run(t, &cfg, "client")
	t.Cleanup(func() { w.restartClient(t, nil) })
	w.steady(t)

	c, free := w.controller(t), controllerAt(t, plain)
	extend := func(c *controller, path ...string) string {
		got := c.ask(t, "EXTENDCIRCUIT 0 "+strings.Join(path, ","))
		if circ, ok := strings.CutPrefix(got, "250 EXTENDED "); ok {
			t.Cleanup(func() { c.closeCircuit(circ) })
			return circ
		}
		return got
	}
	relays := w.net.Relays
	circ := extend(c, "$"+w.path[0]+"~"+relays[0].Name, relays[1].Name, strings.ToLower(w.exit.Fingerprint))
	paid := c.wait(t, "the circuit to be paid", 20*time.Second+3*interval, on(circ, controlspec.StatusPaid))
	if paid.PaidMsat != 1000 || paid.Hop != 3 {
		t.Errorf("event %+v", paid)
	}
	startDownload(t, circ).goesOn(t)

	// What nobody asks money for stays what it is, and so does what nobody may pay.
	authority := w.net.Authority.Fingerprint
	var unpaid string
	until(t, "the authority's descriptor", 40*time.Second, func() bool {
		unpaid = extend(c, w.path[0], authority)
		return !strings.Contains(unpaid, "does not hold the relay's descriptor")
	})
	for name, got := range map[string]string{
		"no terms":        unpaid,
		"another profile": extend(free, w.path...),
		"a purpose":       strings.TrimPrefix(c.ask(t, "EXTENDCIRCUIT 0 "+strings.Join(w.path, ",")+" purpose=controller"), "250 EXTENDED "),
	} {
		if status := c.ask(t, "GETINFO tops/circuit/"+got); status != fmt.Sprintf("552 No circuit %q with a pay stream", got) || strings.Trim(got, "0123456789") != "" {
			t.Errorf("%s: circuit %s, and %s", name, got, status)
		}
	}
	if got := extend(c, w.path[0], "nobody"); got != `552 No such router "nobody"` {
		t.Errorf("an unknown relay: %q, want tor's answer", got)
	}
	until(t, "the dear relay to be refused", 40*time.Second, func() bool {
		return strings.HasPrefix(extend(c, w.path[0], relays[1].Fingerprint), "551 REASON=POLICY ")
	})

	// A budget of the profile's holds from a reload on, and for who is connected.
	w.profileBudget(t, filepath.Join(w.dir, filepath.Base(w.controlSocket())+".toml"), &cfg, func() string { return extend(c, w.path...) })
}

// profileBudget changes the budget in a controller's access profile while the
// client runs; a profile that is no good changes nothing.
func (w *world) profileBudget(t *testing.T, file string, cfg *config.Config, extend func() string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		limits string
		loads  bool
		want   string // what the answer begins with
	}{
		{"[limits]\nday_msat = 1\n", true, "551 REASON=BUDGET "},
		{"[limits]\nday_msat = \"much\"\n", false, "551 REASON=BUDGET "},
		{"[limits]\nday_msat = 100_000\n", true, ""},
		{"[limits]\nday_msat = -1\n", false, ""},
	} {
		if err := os.WriteFile(file, append(text[:len(text):len(text)], step.limits...), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := w.client.app.Reload(t.Context(), cfg)
		if (err == nil) != step.loads || step.loads && len(r.Profiles) != 2 {
			t.Errorf("%q: %+v, %v", step.limits, r, err)
		}
		got := extend()
		if step.want == "" && strings.Trim(got, "0123456789") != "" || !strings.HasPrefix(got, step.want) {
			t.Errorf("with %q: %s", step.limits, got)
		}
	}
}
