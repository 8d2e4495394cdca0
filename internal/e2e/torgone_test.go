package e2e_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
	"github.com/google/go-cmp/cmp"
)

// torGone kills tor under running pay streams, the client's and the relay's.
func (w *world) torGone(t *testing.T) {
	const long = 6 * time.Second // as long as a tor needs to start
	w.restartRelay(t, func(r *config.Relay) {
		r.Interval, r.Grace, r.FreeRounds = config.Duration(long), config.Duration(long), 0
	})
	t.Cleanup(func() { w.restartRelay(t, nil) })
	w.steady(t)
	c := w.controller(t)
	circ := c.extend(t, w.path)
	first := c.wait(t, "the pay stream", 20*time.Second, on(circ, controlspec.StatusDue))
	d := startDownload(t, circ)
	d.goesOn(t)

	mark := w.log.mark()
	client := w.net.Clients[0]
	if err := client.Kill(); err != nil {
		t.Fatal(err)
	}
	<-d.done
	spent := w.totals(t, "client").SpentMsat
	// A controller that comes now is told, after five seconds. Meanwhile a payment
	// falls due: nobody pays for what cannot be used.
	conn := w.rawController(t)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || line != "551 Tor is not reachable now, try again later\r\n" {
		t.Errorf("without tor a controller reads %q, %v", line, err)
	}
	if after := w.totals(t, "client").SpentMsat; after != spent {
		t.Errorf("%d msat were paid while tor was gone", after-spent)
	}
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = w.awaitController(t)
	w.goesOn(t, c, first.Handle)
	until(t, "the round to be paid", 10*time.Second, func() bool { return w.totals(t, "client").SpentMsat > spent })
	w.log.once(t, mark, "client", "tor is lost")
	if got := c.ask(t, "GETCONF FetchUselessDescriptors __LeaveStreamsUnattached"); got != "250 FetchUselessDescriptors=1\n__LeaveStreamsUnattached=1" {
		t.Errorf("after a restart tor has %q", got)
	}
	w.exitTorGone(t)
	w.goesOn(t, c, first.Handle)
	c.ok(t, "CLOSECIRCUIT "+w.circuitOf(t, c, first.Handle))
}

// exitTorGone kills the relay's tor: what was paid stays paid, and its options are
// set again.
func (w *world) exitTorGone(t *testing.T) {
	t.Helper()
	until(t, "the stranger's circuit", 30*time.Second, func() bool { return w.stranger.reach(w) == nil })
	link, terms := w.stranger.link(t), w.terms(t)
	in, preimage := w.stranger.intent(terms)
	if _, err := link.Open(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	w.stranger.pay(t, terms, in.Hash.RoundID(in.TermsHash, 1), terms.Schedule().TotalMsat())
	options, mark := w.options(t, w.exit, relayOptions), w.log.mark()
	if err := w.exit.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := w.exit.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.reachable(t)
	w.log.once(t, mark, "relay", "tor is lost")
	if diff := cmp.Diff(options, w.options(t, w.exit, relayOptions)); diff != "" {
		t.Errorf("the relay's options after a restart of its tor (-want +got):\n%s", diff)
	}
	link = w.stranger.link(t)
	v, err := link.View(t.Context(), in.Hash)
	if err != nil || v.PaidThrough != rounds {
		t.Errorf("the relay's view after its tor came back: %+v, %v", v, err)
	}
	again, err := link.Connect(t.Context(), in.Hash, chargen.String())
	if err != nil {
		t.Fatalf("who paid is refused after tor came back: %v", err)
	}
	read(t, again).goesOn(t)
	if _, err := link.End(t.Context(), in.Hash, preimage); err != nil {
		t.Error(err)
	}
}

// goesOn checks that a pay stream can be used, on whatever circuit it has by then.
func (w *world) goesOn(t *testing.T, c *controller, handle string) {
	t.Helper()
	var last error
	until(t, "the pay stream to go on", 25*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var conn net.Conn
		if conn, last = dialSOCKS(ctx, "circ="+w.circuitOf(t, c, handle), chargen.String()); last == nil {
			_, last = conn.Read(make([]byte, 1))
			conn.Close()
		}
		return last == nil
	}, func() string { return last.Error() + "; " + c.info(t, "tops/paystream/"+handle) })
}

// circuitOf is the circuit that a pay stream has now.
func (w *world) circuitOf(t *testing.T, c *controller, handle string) string {
	t.Helper()
	e, err := controlspec.ParsePayStream("PAYSTREAM " + c.info(t, "tops/paystream/"+handle))
	if err != nil {
		t.Fatal(err)
	}
	return e.CircID
}

// awaitController connects as soon as there is a tor to connect to.
func (w *world) awaitController(t *testing.T) *controller {
	t.Helper()
	until(t, "tor behind the proxy", 20*time.Second, func() bool {
		conn := w.rawController(t)
		defer conn.Close()
		if _, err := conn.Write([]byte("PROTOCOLINFO 1\r\n")); err != nil {
			return false
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		return err == nil && strings.HasPrefix(line, "250")
	})
	return w.controller(t)
}
