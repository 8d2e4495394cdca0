//go:build world

package chromium

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a running Chromium. It ends with the test.
type Browser struct{ ctx context.Context }

// Start starts Debian's chromium, or fails the test. It may connect to the
// loopback interface and to nothing else.
func Start(t testing.TB) *Browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.NoSandbox, // tests of networks run as root, whom Chromium gives no sandbox
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("hide-scrollbars", true),
	)
	allocator, endAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Error(err)
		}
		end()
		endAllocator()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium: %v (Debian package chromium)", err)
	}
	return &Browser{ctx}
}

// Look is how a page is looked at, by one who does not want things to move: so
// that a picture is the same each time.
type Look struct {
	Width, Height int64 // 1280 × 800, if 0
	Dark          bool  // prefers-color-scheme
}

// Page is an open tab. It is closed with the test.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string
	loads    int // of documents
}

// Open opens a page, and waits until it is loaded.
func (b *Browser) Open(t testing.TB, address string, l Look) *Page {
	t.Helper()
	if l.Width == 0 {
		l.Width, l.Height = 1280, 800
	}
	home, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{t: t}
	ctx, end := chromedp.NewContext(b.ctx, chromedp.WithListener(func(event any) { p.hear(home, event) }))
	t.Cleanup(end)
	p.ctx = ctx
	scheme := "light"
	if l.Dark {
		scheme = "dark"
	}
	var size []chromedp.EmulateViewportOption
	if l.Width < 600 {
		size = append(size, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	if err := chromedp.Do(ctx); err != nil { // not by Run: the tab lives as long as the first one's context
		t.Fatalf("chromium: %v", err)
	}
	Call(p, network.Enable, network.EnableParams{})
	Call(p, log.Enable, cdp.Empty{})
	Call(p, runtime.Enable, cdp.Empty{})
	Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	p.Do(chromedp.EmulateViewport(l.Width, l.Height, size...), chromedp.Navigate(address))
	return p
}

func (p *Page) hear(home *url.URL, event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			p.loads++
		}
		if u, err := url.Parse(e.Request.URL); err != nil || u.Host != home.Host || u.Scheme != home.Scheme {
			p.problems = append(p.problems, "a request to "+e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		p.problems = append(p.problems, "exception: "+e.ExceptionDetails.Text+" "+e.ExceptionDetails.Exception.Description)
	case *runtime.EventConsoleAPICalled:
		var args []string
		for _, a := range e.Args {
			args = append(args, string(a.Value))
		}
		p.problems = append(p.problems, fmt.Sprintf("console.%s: %s", e.Type, strings.Join(args, " ")))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.problems = append(p.problems, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	}
}

// Do does what a person would.
func (p *Page) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	Run(p, chromedp.Steps(steps...))
}

// Run runs an action, and returns what it found.
func Run[T any](p *Page, a chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		p.t.Fatalf("chromium: %v", err)
	}
	return v
}

// Call calls a method of the DevTools protocol.
func Call[P, R any](p *Page, method cdp.Command[P, R], params P) R {
	p.t.Helper()
	return Run(p, func(ctx context.Context, _ *chromedp.Target) (R, error) { return chromedp.Call(ctx, method, params) })
}

// Eval is the value of an expression of JavaScript; a promise is waited for.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return Run(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Until waits for an expression to be true.
func (p *Page) Until(what, expression string, limit time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(limit); !Eval[bool](p, expression); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("waited %s for %s; the browser complains %q; the page says:\n%s", limit, what, p.Problems(), Eval[string](p, "document.body.innerText"))
		}
	}
}

// Problems are the errors on the console, and the requests to other hosts, so far.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.problems)
}

// Loads is how often a document was asked for: 1, unless somebody reloaded.
func (p *Page) Loads() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.loads
}

// Forget forgets the problems so far, which the test brought about itself.
func (p *Page) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = nil
}

// Screenshot is the whole page as a PNG, however long it is.
func (p *Page) Screenshot() (png []byte) {
	p.t.Helper()
	return Run(p, chromedp.FullScreenshot(100))
}
