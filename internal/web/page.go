package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"
)

//go:embed static page.html
var embedded embed.FS

var static = func() fs.FS {
	sub, err := fs.Sub(embedded, "static")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}()

var pageTemplate = template.Must(template.New("page.html").Funcs(words).ParseFS(embedded, "page.html"))

// panels are the parts of the page that change by themselves: templates, and ids
// of elements. What belongs to a role that is not played is not on the page, and
// its template has nothing to show.
var panels = []struct {
	id    string
	there func(view) bool
}{
	{"health", always}, {"earned", isRelay}, {"earnings", isRelay}, {"paystreams", isRelay}, {"refusals", isRelay},
	{"spent", isClient}, {"circuits", isClient}, {"budgets", isClient}, {"spending", isClient}, {"foot", always},
}

func always(view) bool     { return true }
func isRelay(v view) bool  { return v.Relay != nil }
func isClient(v view) bool { return v.Client != nil }

// page is the whole of it.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	f, err := s.figures(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, newView(f, r.URL.Query().Has("days"))); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // the reader has gone
}

// part is the event of a panel that has changed, or of the title.
type part struct {
	ID   string `json:"id"`
	HTML string `json:"html"`
}

// events sends each panel that has changed, as a server-sent event.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	select {
	case s.live <- struct{}{}:
		defer func() { <-s.live }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many live pages: close one", http.StatusServiceUnavailable)
		return
	}
	woken := make(chan struct{}, 1)
	defer s.cfg.Source.Changed(func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	shown := make(map[string]string)
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	pause := time.NewTimer(0) // between two looks, however much happens
	defer pause.Stop()
	for first := true; ; first = false {
		f, err := s.figures(r.Context())
		if err != nil {
			return // the browser asks again
		}
		v := newView(f, r.URL.Query().Has("days"))
		var b bytes.Buffer
		if first {
			b.WriteString("retry: 2000\n\n")
		}
		if err := v.changes(&b, shown); err != nil {
			return
		}
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second))
		if _, err := w.Write(b.Bytes()); err != nil {
			return
		}
		if out.Flush() != nil {
			return
		}
		pause.Reset(s.cfg.Every / 4)
		select {
		case <-pause.C:
		case <-r.Context().Done():
			return
		}
		select {
		case <-tick.C:
		case <-woken:
		case <-r.Context().Done():
			return
		}
	}
}

// changes writes an event for each panel that is not what was shown, and for the
// title of the window.
func (v view) changes(b *bytes.Buffer, shown map[string]string) error {
	if err := put(b, shown, "title", v.Title); err != nil {
		return err
	}
	for _, p := range panels {
		if !p.there(v) {
			continue
		}
		var html bytes.Buffer
		if err := pageTemplate.ExecuteTemplate(&html, p.id, v); err != nil {
			return err
		}
		if err := put(b, shown, p.id, html.String()); err != nil {
			return err
		}
	}
	return nil
}

func put(b *bytes.Buffer, shown map[string]string, id, now string) error {
	if was, there := shown[id]; there && was == now {
		return nil
	}
	shown[id] = now
	text, err := json.Marshal(part{id, now})
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "event: panel\ndata: %s\n\n", text)
	return nil
}
