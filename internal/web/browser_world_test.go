//go:build world

package web_test

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/el-tor/tops/internal/chromium"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/figures/figurestest"
	"github.com/el-tor/tops/internal/web"
)

// serve serves the page until stop, on an address of its own or on one that is
// given.
func serve(t *testing.T, s *source, address string) (at string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = web.New(web.Config{Source: s, Every: 100 * time.Millisecond}).Serve(ctx, ln)
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

// What changes is put in the place of what was shown: no reload, the focus, a
// selection and an open table stay; and when the server goes and comes back, so
// does the page.
func TestLiveInABrowser(t *testing.T) {
	s := newSource(figurestest.Busy())
	at, stop := serve(t, s, "127.0.0.1:0")
	p := chromium.Start(t).Open(t, "http://"+at+"/", chromium.Look{})
	live := func() {
		t.Helper()
		p.Until("a live page", `document.getElementById("link").textContent === "Live"`, liveWithin)
	}
	live()
	p.Do(chromedp.Evaluate[chromedp.Void](`
		window.stayed = document.querySelector("#earned .first dd");
		document.querySelector("#earnings details").open = true;
		document.querySelector("#earnings summary").focus();
		window.changes = 0;
		new MutationObserver(list => window.changes += list.length).observe(document.querySelector("#refusals"), {subtree: true, childList: true, characterData: true, attributes: true});
	`))
	earn := func(msat int64) {
		s.change(func(f *figures.Figures) {
			r := *f.Relay
			r.TodayMsat = msat
			r.Hours = figures.Fill(f.At, time.Hour, 24, []figures.Bar{{From: f.At, Msat: msat, Payments: 3}})
			f.Relay = &r
		})
	}
	earn(77_000)
	p.Until("what was earned", `window.stayed.textContent.trim() === "77 sat"`, 5*time.Second)
	p.Until("the table that goes with it", `document.querySelector("#earnings tbody").innerText.includes("77")`, 5*time.Second)
	if !chromium.Eval[bool](p, `window.stayed.isConnected && document.querySelector("#earnings details").open &&
		document.activeElement === document.querySelector("#earnings summary")`) {
		t.Error("an element was replaced, an open table closed, or the focus is gone")
	}
	if title := chromium.Eval[string](p, `document.title`); !strings.HasPrefix(title, "77 sat earned today") {
		t.Errorf("the title is still %q", title)
	}
	if n := chromium.Eval[int](p, `window.changes`); n != 0 {
		t.Errorf("%d changes of a panel that has not changed", n)
	}
	if problems := p.Problems(); len(problems) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(problems, "\n"))
	}

	stop()
	p.Until("word of the loss", `document.getElementById("link").textContent.startsWith("Connection lost")`, 10*time.Second)
	earn(78_000)
	serve(t, s, at)
	live()
	p.Until("what was earned meanwhile", `window.stayed.textContent.trim() === "78 sat"`, 10*time.Second)
	if n := p.Loads(); n != 1 {
		t.Errorf("the page was loaded %d times", n)
	}
}

// The page is of use without a mouse and without eyes.
func TestAccess(t *testing.T) {
	at, _ := serve(t, newSource(figurestest.Busy()), "127.0.0.1:0")
	b := chromium.Start(t)
	p := b.Open(t, "http://"+at+"/", chromium.Look{})

	t.Run("keyboard", func(t *testing.T) {
		var order []string
		for range 12 {
			p.Do(chromedp.KeyEvent(kb.Tab))
			order = append(order, chromium.Eval[string](p, `document.activeElement === document.body ? "" : document.activeElement.innerText`))
			if !chromium.Eval[bool](p, `(() => { const e = document.activeElement; if (e === document.body) return true;
				const s = getComputedStyle(e), r = e.getBoundingClientRect();
				return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.width > 0 && r.left >= 0 })()`) {
				t.Errorf("the focus on %q cannot be seen", order[len(order)-1])
			}
		}
		want := []string{"Skip to the figures", "24 hours", "30 days", "The same as a table", "How pay streams ended since tops started", "The same as a table", "metrics"}
		if got := slices.Clone(order[:len(want)]); !slices.Equal(got, want) {
			t.Errorf("Tab goes through %q, want %q", got, want)
		}
		p.Do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(); document.querySelector(".skip").focus()`), chromedp.KeyEvent(kb.Enter))
		p.Until("the skip link to lead to the figures", `document.activeElement.id === "main"`, 5*time.Second)
		p.Do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#earnings summary").focus()`), chromedp.KeyEvent(kb.Enter))
		p.Until("Enter to open the table", `document.querySelector("#earnings details").open`, 5*time.Second)
	})

	t.Run("tree", func(t *testing.T) {
		seen := map[string][]string{}
		for _, n := range chromium.Call(p, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			role, name := text(n.Role), text(n.Name)
			seen[role] = append(seen[role], name)
			if slices.Contains([]string{"link", "button", "DisclosureTriangle", "region", "navigation", "table", "progressbar", "progressIndicator"}, role) && strings.TrimSpace(name) == "" {
				t.Errorf("a %s without a name", role)
			}
		}
		for role, want := range map[string]int{"banner": 1, "main": 1, "contentinfo": 1, "navigation": 1, "status": 2} {
			if len(seen[role]) != want {
				t.Errorf("%d of role %s, want %d", len(seen[role]), role, want)
			}
		}
		for role, want := range map[string][]string{
			"region":       {"Health", "As a relay", "Earnings over time", "Live pay streams", "Refused and ended", "As a client", "Paid circuits", "Budgets", "Spending over time"},
			"columnheader": {"Pay stream", "State", "Round", "Paid", "Due next", "Data"},
			"rowheader":    {"ebf064b1c7877810"},
			"heading":      {"Status of this Relay and Client"},
		} {
			for _, name := range want {
				if !slices.Contains(seen[role], name) {
					t.Errorf("no %s is called %q: %q", role, name, seen[role])
				}
			}
		}
	})

	for _, l := range looks {
		t.Run(l.name, func(t *testing.T) {
			p := b.Open(t, "http://"+at+"/", l.Look)
			p.Do(chromedp.Evaluate[chromedp.Void](`for (const d of document.querySelectorAll("details")) d.open = true`))
			for _, fault := range chromium.Eval[[]string](p, contrastOfTexts) {
				t.Error(fault)
			}
			for _, fault := range chromium.Eval[[]string](p, whatSticksOut) {
				t.Error(fault)
			}
			if problems := p.Problems(); len(problems) > 0 {
				t.Errorf("the browser complains:\n%s", strings.Join(problems, "\n"))
			}
		})
	}
}

// liveWithin is how long a busy machine may take.
const liveWithin = 20 * time.Second

// looks are how people look at the page.
var looks = []struct {
	name string
	chromium.Look
}{
	{"1280-light", chromium.Look{Width: 1280, Height: 900}},
	{"1280-dark", chromium.Look{Width: 1280, Height: 900, Dark: true}},
	{"390-light", chromium.Look{Width: 390, Height: 844}},
	{"390-dark", chromium.Look{Width: 390, Height: 844, Dark: true}},
}

func text(v *accessibility.Value) string {
	var s string
	if v != nil {
		_ = json.Unmarshal(v.Value, &s) // what is no text has no name
	}
	return s
}

// contrastOfTexts lists the texts that WCAG 2.2, 1.4.3 (AA), finds too faint.
const contrastOfTexts = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgba = color => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
		const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255] };
	const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
	const luminance = c => [0, 1, 2].map(i => c[i] / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const ground = e => { const layers = []; for (; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
		return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]) };
	const faults = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
		if (!texts.currentNode.data.trim() || r.width < 2 || s.visibility === "hidden") continue;
		const under = ground(e), [a, b] = [luminance(over(rgba(s.color), under)), luminance(under)].sort((x, y) => y - x);
		const size = parseFloat(s.fontSize), large = size >= 24 || size >= 18.66 && s.fontWeight >= 700;
		const ratio = (a + .05) / (b + .05);
		if (ratio < (large ? 3 : 4.5)) faults.push("contrast " + ratio.toFixed(2) + " of " + JSON.stringify(texts.currentNode.data.trim()));
	}
	return faults;
})()`

// whatSticksOut lists what is wider than the window, or than its own box.
const whatSticksOut = `(() => {
	const faults = [], wide = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > wide) faults.push("the page is " + document.documentElement.scrollWidth + " px wide, the window " + wide);
	for (const e of document.querySelectorAll("body *")) {
		const r = e.getBoundingClientRect(), s = getComputedStyle(e);
		if (r.width === 0 || s.clipPath !== "none" || e.closest(".quiet, .skip, thead, svg")) continue;
		if (r.right > wide + .5 || r.left < -.5) faults.push(e.tagName + "." + e.className + " reaches from " + r.left + " to " + r.right + " px");
		if (s.display !== "inline" && e.scrollWidth > e.clientWidth + 1) faults.push(e.tagName + "." + e.className + " holds " + e.scrollWidth + " px in " + e.clientWidth + ": " + e.innerText.slice(0, 40));
	}
	return faults;
})()`
