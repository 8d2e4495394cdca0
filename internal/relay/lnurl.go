package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"
)

// Address is a Lightning Address (LUD-16) whose invoices are those of a relay's
// pay streams: the comment (LUD-12) is the note of a round. It is for payers whose
// wallets know no BOLT12. It is an http.Handler for the requests to its domain:
//
//	GET /.well-known/lnurlp/<user>
//	GET /lnurlp/callback/<user>?amount=<msat>&comment=<note>
//
// A note that belongs to no pay stream may be an opening's, which is paid before
// anybody knows it. Strangers could fill the node with rows by such, so there are
// few a second, and each is for no more than an opening costs.
type Address struct {
	Name    string // user@domain
	MaxMsat int64  // the most that a pay stream may cost

	// Invoice makes the invoice for a note, which commits to the description.
	Invoice func(ctx context.Context, note paystream.RoundID, amountMsat int64, description string) (string, error)

	// Ahead does so for a note that no pay stream has yet; Strangers limits it.
	Ahead     func(ctx context.Context, note paystream.RoundID, amountMsat int64, description string) (string, error)
	Strangers *rate.Limiter
}

func (a Address) metadata() string {
	b, _ := json.Marshal([][2]string{{"text/plain", "TOPS pay stream"}, {"text/identifier", a.Name}})
	return string(b)
}

// callback is the address that wallets are sent to: https, or http for an onion
// service.
func (a Address) callback() string {
	user, domain, _ := strings.Cut(a.Name, "@")
	scheme := "https"
	if strings.HasSuffix(domain, ".onion") {
		scheme = "http"
	}
	return scheme + "://" + domain + "/lnurlp/callback/" + user
}

func (a Address) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, _, _ := strings.Cut(a.Name, "@")
	switch {
	case r.Method != http.MethodGet:
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case r.URL.Path == "/.well-known/lnurlp/"+user:
		answer(w, map[string]any{
			"tag": "payRequest", "callback": a.callback(), "metadata": a.metadata(),
			"minSendable": 1, "maxSendable": a.MaxMsat, "commentAllowed": 64,
		})
	case r.URL.Path == "/lnurlp/callback/"+user:
		invoice, err := a.invoice(r)
		if err != nil {
			answer(w, map[string]any{"status": "ERROR", "reason": err.Error()})
			return
		}
		answer(w, map[string]any{"pr": invoice, "routes": []string{}})
	default:
		http.NotFound(w, r)
	}
}

func (a Address) invoice(r *http.Request) (string, error) {
	q := r.URL.Query()
	msat, err := strconv.ParseInt(q.Get("amount"), 10, 64)
	if err != nil || msat < 1 || msat > a.MaxMsat {
		return "", fmt.Errorf("amount is not 1 to %d msat", a.MaxMsat)
	}
	note, err := paystream.ParseRoundID(q.Get("comment"))
	if err != nil {
		return "", errors.New("comment is not the note of a round: 64 lower-case hex digits")
	}
	invoice, err := a.Invoice(r.Context(), note, msat, a.metadata())
	if errors.Is(err, paystream.ErrUnknown) {
		if !a.Strangers.Allow() {
			return "", errors.New("too many requests for new pay streams: try again in a second")
		}
		invoice, err = a.Ahead(r.Context(), note, msat, a.metadata())
	}
	var over *paystream.Demand
	var busy *paystream.Busy
	switch {
	case errors.As(err, &over):
		return "", errors.New("the pay stream is over")
	case errors.Is(err, paystream.ErrMalformed):
		return "", errors.New("amount is more than the pay stream, or its opening, costs")
	case errors.As(err, &busy):
		return "", errors.New(busy.Reason)
	case err != nil:
		return "", errors.New("the relay's lightning node does not answer")
	}
	return invoice, nil
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Access-Control-Allow-Origin", "*") // LUD-01
	_ = json.NewEncoder(w).Encode(v)
}

// serveAddress answers as the relay's Lightning Address, by the terms of the moment.
func (r *Relay) serveAddress() http.Handler {
	a := r.address()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		a := a
		a.MaxMsat = mostMsat(r.Terms())
		a.ServeHTTP(w, q)
	})
}

// address is the relay's, as its configuration has it.
func (r *Relay) address() Address {
	return Address{
		Name: r.cfg.Relay.LightningAddress, MaxMsat: mostMsat(r.Terms()),
		Invoice: r.InvoiceForNote, Ahead: r.InvoiceAhead, Strangers: rate.NewLimiter(2, 10),
	}
}

// mostMsat is what a pay stream costs at the most.
func mostMsat(t policies.Terms) int64 { return t.FeeMsat + t.Schedule().TotalMsat() }

// listenLNURL listens on loopback alone: what comes from elsewhere comes through
// the domain's web server, or its onion service.
func listenLNURL(address string) (net.Listener, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("relay.lnurl_listen: %q is not a loopback address and port", address)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("relay.lnurl_listen: %w", err)
	}
	return netutil.LimitListener(ln, 64), nil
}

func serveLNURL(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, MaxHeaderBytes: 8 << 10,
		ReadTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 30 * time.Second,
	}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}
