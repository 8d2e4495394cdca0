package metrics_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/figures/figurestest"
	"github.com/el-tor/tops/internal/metrics"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

type source func() (figures.Figures, error)

func (s source) Figures(context.Context) (figures.Figures, error) { return s() }

func busy() (figures.Figures, error) { return figurestest.Busy(), nil }

func scrape(t *testing.T, s source) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	metrics.Handler(s).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Code, w.Body.String()
}

func TestFigures(t *testing.T) {
	code, text := scrape(t, busy)
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, text)
	}
	for _, want := range []string{
		`tops_build_info{version="1.2.3"} 1`,
		"tops_earned_msat_total 1.2345e+06",
		"tops_spent_msat_total 99000",
		`tops_pay_streams{role="relay"} 3`,
		`tops_pay_streams{role="client"} 1`,
		`tops_pay_streams_ended_total{reason="LATE",role="relay"} 2`,
		`tops_pay_streams_ended_total{reason="UNUSED",role="client"} 0`,
		`tops_pay_streams_refused_total{reason="FEE"} 4`,
		`tops_gateway_refusals_total{reason="unpaid"} 12`,
		`tops_gateway_refusals_total{reason="room"} 0`,
		`tops_budget_left_msat{window="day"} 986900`,
		"tops_goodput_bytes_per_second 1.25e+06",
		`tops_tor_up{role="relay"} 1`,
		"tops_lightning_up 1",
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no line %q in\n%s", want, text)
		}
	}
	for _, secret := range []string{figurestest.Controller, "ebf064b1c7877810", "0123456789ABCDEF", "circuit 7"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the metrics", secret)
		}
	}
}

// Names and help are as Prometheus' conventions have them.
func TestConventions(t *testing.T) {
	_, text := scrape(t, busy)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "tops_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestSourceFails(t *testing.T) {
	code, text := scrape(t, func() (figures.Figures, error) { return figures.Figures{}, errors.New("the books are closed") })
	if code != http.StatusInternalServerError || !strings.Contains(text, "the books are closed") {
		t.Errorf("%d: %s", code, text)
	}
}

// Every metric that the dashboard asks for exists, and each of ours is on it.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/tops.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		UID, Title string
		Panels     []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	_, exposed := scrape(t, busy)
	exists := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(exposed, -1) {
		exists[m[1]] = true
	}
	name := regexp.MustCompile(`\b(?:tops|process|go)_[a-z_]+`)
	used, ids := map[string]bool{}, map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			names := name.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("panel %q: %q asks for no metric", p.Title, target.Expr)
			}
			for _, n := range names {
				used[n] = true
				if !exists[n] {
					t.Errorf("panel %q asks for %s, which does not exist", p.Title, n)
				}
			}
		}
	}
	for n := range exists {
		if strings.HasPrefix(n, "tops_") && !used[n] {
			t.Errorf("%s is on no panel", n)
		}
	}
}
