//go:build world

package e2e_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/el-tor/tops/internal/chromium"
)

// TestPage watches money move, in a browser: an app downloads through a paid
// circuit, and the pages of the relay and of the client follow it, round by round,
// without being loaded again.
func TestPage(t *testing.T) {
	w := newWorld(t)
	serve := func(r **role, name, address string) {
		t.Helper()
		(*r).stop(t)
		cfg := (*r).cfg
		cfg.Web.Listen = address
		*r = w.run(t, cfg, name)
	}
	serve(&w.relay, "relay", "127.0.0.1:9181")
	serve(&w.client, "client", "127.0.0.1:9182")
	w.reachable(t)

	b := chromium.Start(t)
	open := func(address string) *chromium.Page {
		p := b.Open(t, "http://"+address+"/", chromium.Look{})
		p.Until("a live page", `document.getElementById("link").textContent === "Live"`, 20*time.Second)
		p.Until("no money to have moved", `document.querySelector(".hero .first dd").textContent === "0 sat"`, 5*time.Second)
		p.Do(chromedp.Evaluate[chromedp.Void](`window.money = document.querySelector(".hero .first dd")`))
		return p
	}
	relay, client := open("127.0.0.1:9181"), open("127.0.0.1:9182")
	sat := func(p *chromium.Page) int {
		t.Helper()
		text := chromium.Eval[string](p, `window.money.textContent`)
		n, err := strconv.Atoi(strings.TrimSuffix(strings.ReplaceAll(text, "\u202f", ""), " sat"))
		if err != nil {
			t.Fatalf("the page says %q", text)
		}
		return n
	}

	conn, err := dialSOCKS(t.Context(), "somebody", chargen.String())
	if err != nil {
		t.Fatal(err)
	}
	d := read(t, conn)
	for _, p := range []*chromium.Page{relay, client} {
		last, changes := 0, 0
		until(t, "three payments to be seen", 40*time.Second, func() bool {
			d.goesOn(t)
			if now := sat(p); now > last {
				last, changes = now, changes+1
			} else if now < last {
				t.Fatalf("from %d sat to %d", last, now)
			}
			return changes == 3
		})
	}
	relay.Until("the pay stream, its round and its bytes", `(() => { const row = document.querySelector("#paystreams tbody tr");
		return !!row && /([2-9]|10) of 10/.test(row.innerText) && /\d [kM]B/.test(row.innerText) && row.querySelectorAll("rect.paid").length > 0 })()`, 10*time.Second)
	relay.Until("the bar of this hour", `document.querySelector("#earnings rect.now").getBoundingClientRect().height > 20`, 5*time.Second)
	client.Until("the circuit, what it costs and how fast it is", `(() => { const row = document.querySelector("#circuits tbody tr");
		return !!row && row.querySelectorAll(".path span[title]").length === 3 && /1 sat each 2 s/.test(row.innerText) && /kB\/s/.test(row.innerText) && /1 open/.test(row.innerText) })()`, 10*time.Second)

	// The relay's node goes, and comes back. (What becomes of pay streams then is
	// another scene's, with rounds that are long enough for it.)
	w.outage(t, "payee", true)
	relay.Until("word of the outage", `/Lightning: (does not answer|needs attention)/.test(document.querySelector(".verdict").textContent)`, 30*time.Second)
	w.outage(t, "payee", false)
	relay.Until("the node to be well again", `!/Lightning:/.test(document.querySelector(".verdict").textContent) &&
		/Lightning connected/.test(document.querySelector(".checks").innerText)`, 30*time.Second)

	conn.Close()
	w.client.stop(t)
	client.Until("word that the client is gone", `document.getElementById("link").textContent.startsWith("Connection lost")`, 10*time.Second)
	earned, spent := w.totals(t, "relay").EarnedMsat, w.totals(t, "client").SpentMsat
	relay.Until("what the books say", `window.money.textContent.replace("\u202f", "") === "`+strconv.FormatInt(earned/1000, 10)+` sat"`, 10*time.Second)
	t.Logf("earned %d sat, spent %d sat, and %d sat on the relay's page; it was loaded %d times, the client's %d times", earned/1000, spent/1000, sat(relay), relay.Loads(), client.Loads())
	for name, p := range map[string]*chromium.Page{"relay": relay, "client": client} {
		if p.Loads() != 1 || !chromium.Eval[bool](p, `window.money.isConnected`) {
			t.Errorf("the %s's page was loaded again", name)
		}
		for _, problem := range p.Problems() {
			if name == "client" && strings.Contains(problem, "/events") { // it was gone
				continue
			}
			t.Errorf("the browser on the %s's page: %s", name, problem)
		}
	}
}
