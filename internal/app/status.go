package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// Status is what `tops status` shows.
type Status struct {
	Version    string            `json:"version"`
	Totals     ledger.Totals     `json:"totals"`
	Budget     []policies.Use    `json:"budget,omitempty"`
	Today      []ledger.SpentFor `json:"today,omitempty"`  // what the last 24 hours' money went for
	AtCap      *client.Cap       `json:"at_cap,omitempty"` // why apps are not paid for just now
	PayStreams []PayStream       `json:"paystreams"`
	Carriers   map[string]string `json:"carriers"`                // by role: what carries pay streams, by what tor is
	Native     *eltor.Stats      `json:"eltor,omitempty"`         // of a relay on El Tor's tor
	NodeAway   string            `json:"node_away,omitempty"`     // since when it does not answer
	Node       []string          `json:"node,omitempty"`          // what is wrong with it
	Restored   string            `json:"node_restored,omitempty"` // when it was restored from an older state, if it was since the start
	Newcomers  *Newcomers        `json:"newcomers,omitempty"`     // of a relay
}

// Newcomers is how a relay stands with those who have not paid yet.
type Newcomers struct {
	Asked   string `json:"asked"`    // free: nothing; fee: the opening fee; ahead: the first round
	Free    int    `json:"free"`     // pay streams that have paid for no round yet
	AMinute int    `json:"a_minute"` // who came in the last minute and brought no money
}

// PayStream is a row of the status.
type PayStream struct {
	Handle      paystream.Handle `json:"handle"`
	Role        string           `json:"role"` // payer or payee
	Status      paystream.Status `json:"status"`
	Reason      paystream.Reason `json:"reason,omitempty"`
	Relay       string           `json:"relay"`
	Circuit     string           `json:"circuit,omitempty"`
	Round       int              `json:"round"`
	Rounds      int              `json:"rounds"`
	PaidThrough int              `json:"paid_through"`
	PaidMsat    int64            `json:"paid_msat"`
	DueMsat     int64            `json:"due_msat"`
	HeldMsat    int64            `json:"held_msat,omitempty"`
	Bytes       int64            `json:"bytes"`
	Allowance   int64            `json:"allowance"`
}

// StatusSocket is where a running tops answers.
func StatusSocket(c *config.Config) string { return filepath.Join(c.DataDir, "status.sock") }

func (a *App) serveStatus(ctx context.Context, ln net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		st, err := a.status(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(st)
	})
	mux.HandleFunc("GET /relays", func(w http.ResponseWriter, r *http.Request) {
		if a.client == nil {
			http.Error(w, errNoClient.Error(), http.StatusNotFound)
			return
		}
		list, err := a.client.RelayList(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("GET /debug/goroutines", func(w http.ResponseWriter, _ *http.Request) {
		_ = pprof.Lookup("goroutine").WriteTo(w, 1)
	})
	mux.HandleFunc("GET /debug/log", func(w http.ResponseWriter, _ *http.Request) {
		if a.recent != nil {
			_, _ = w.Write(a.recent())
		}
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}

func (a *App) status(ctx context.Context) (st Status, err error) {
	st.Version = a.engine.Version
	st.PayStreams, st.Node = []PayStream{}, a.health.problems()
	st.Restored = a.health.restoration()
	if st.Totals, err = a.books.Totals(ctx); err != nil {
		return st, err
	}
	st.Carriers = make(map[string]string)
	if a.client != nil {
		st.Carriers["client"] = a.client.Carrier()
		st.Budget = a.client.Budget()
		if st.Today, err = a.books.SpentOn(ctx, a.clock.Now().Add(-24*time.Hour)); err != nil {
			return st, err
		}
		if atCap, ok := a.client.AtCap(); ok {
			st.AtCap = &atCap
		}
		for _, s := range a.client.PayStreams() {
			st.PayStreams = append(st.PayStreams, PayStream{
				Handle: s.Handle, Role: "payer", Status: s.Status, Reason: s.Reason, Relay: s.Relay, Circuit: s.Circuit,
				Round: s.Round, Rounds: s.Rounds, PaidThrough: s.PaidThrough, PaidMsat: s.PaidMsat, DueMsat: s.DueMsat,
				HeldMsat: s.HeldMsat, Bytes: s.UsedBytes, Allowance: s.Allowance,
			})
		}
	}
	if a.relay != nil {
		if since, away := a.relay.Away(); away {
			st.NodeAway = since.Format(time.RFC3339)
		}
		st.Carriers["relay"] = a.relay.Carrier()
		if seen, ok := a.relay.Native(); ok {
			st.Native = &seen
		}
		load := a.relay.Load()
		st.Newcomers = &Newcomers{Asked: load.Asks.String(), Free: load.Free, AMinute: load.Newcomers}
		for h, s := range a.relay.PayStreams() {
			st.PayStreams = append(st.PayStreams, PayStream{
				Handle: h, Role: "payee", Status: s.Status, Reason: s.Reason, Relay: a.engine.Relay.Relay,
				Round: s.Round, Rounds: s.Rounds, PaidThrough: s.PaidThrough, PaidMsat: s.BalanceMsat, DueMsat: s.DueMsat,
				Bytes: s.Bytes, Allowance: s.Allowance,
			})
		}
	}
	slices.SortFunc(st.PayStreams, func(x, y PayStream) int { return strings.Compare(string(x.Handle), string(y.Handle)) })
	return st, nil
}

// AskStatus asks a running tops.
func AskStatus(ctx context.Context, c *config.Config) (st Status, err error) {
	body, err := ask(ctx, c, "/status")
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(body, &st)
}

// AskRelays asks a running tops which relays ask to be paid.
func AskRelays(ctx context.Context, c *config.Config) (list []client.RelayStatus, err error) {
	body, err := ask(ctx, c, "/relays")
	if err != nil {
		return nil, err
	}
	return list, json.Unmarshal(body, &list)
}

// AskDebug asks a running tops for the goroutines that it has, and for the end of
// its log.
func AskDebug(ctx context.Context, c *config.Config) (goroutines, log []byte, err error) {
	if goroutines, err = ask(ctx, c, "/debug/goroutines"); err != nil {
		return nil, nil, err
	}
	log, err = ask(ctx, c, "/debug/log")
	return goroutines, log, err
}

func ask(ctx context.Context, c *config.Config, path string) ([]byte, error) {
	hc := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", StatusSocket(c))
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://tops"+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := hc.Do(req)
	if err != nil {
		return nil, notAnswered(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return nil, fmt.Errorf("tops answers %s: %s", resp.Status, strings.TrimSpace(string(why)))
	}
	return io.ReadAll(resp.Body)
}

// notAnswered says why nobody answered at the status socket.
func notAnswered(err error) error {
	var no *net.OpError
	if errors.As(err, &no) {
		err = no // what http says around it is about a URL that nobody asked for
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("a running tops answers nobody but the user who runs it: %w", err)
	}
	return fault.Mark(fault.NotRunning, fmt.Errorf("tops does not run with this configuration (start it by tops run, or name another with -c): %w", err))
}
