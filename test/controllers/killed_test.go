package controllers_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killed ends the client without a word while streams wait for it.
func (w *world) killed(t *testing.T) {
	direct := dial(t, w.tor.ControlSocket)
	if got := w.options(t); got != ours || got == w.base {
		t.Fatalf("before the kill tor has %q, at first it had %q", got, w.base)
	}
	names := func() string { return direct.ask(t, "GETINFO address-mappings/control") }
	if !strings.Contains(names(), ".tops ") {
		t.Fatalf("before the kill tor knows no gateway by name: %s", names())
	}
	// A client that is stopped attaches nothing: what somebody begins now waits.
	w.client.signal(syscall.SIGSTOP)
	const streams = 5
	waiting := make(chan error, streams)
	for i := range streams {
		go func() {
			conn, err := dialSOCKS(t.Context(), w.tor.SocksAddr, fmt.Sprint("someone ", i))
			if err == nil {
				_, err = conn.Read(make([]byte, 8))
				conn.Close()
			}
			waiting <- err
		}()
	}
	status := func() string { return direct.ask(t, "GETINFO stream-status") }
	until(t, "streams that wait", 20*time.Second, func() bool { return strings.Count(status(), " NEW 0 ") == streams }, func() string {
		said := status()
		for range len(waiting) {
			said += fmt.Sprintf("\none did not wait: %v", <-waiting)
		}
		return said
	})

	w.client.signal(syscall.SIGKILL)
	begin := time.Now()
	<-w.client.done
	until(t, "tor to be as it was", time.Second, func() bool {
		return w.options(t) == w.base && !strings.Contains(names(), ".tops ")
	}, func() string { return w.options(t) + "\n" + names() })
	t.Logf("%v after the kill tor was as before", time.Since(begin).Round(time.Millisecond))
	// The names go last, so the streams are tor's again by now. It builds a circuit for
	// each, and calls them NEW until then as if they waited for a controller; asked to take
	// one, it says 555, that no controller manages it. After a soak it takes its time.
	until(t, "the streams to have circuits", 100*time.Second, func() bool { return !strings.Contains(status(), " NEW 0 ") }, status)
	t.Logf("%v after the kill every stream had a circuit", time.Since(begin).Round(time.Millisecond))
	for range streams {
		if err := <-waiting; err != nil {
			t.Errorf("a stream that waited: %v", err)
		}
	}
	fetch(t, w.tor.SocksAddr, "someone else").goesOn(t)

	// And the next start finds nothing amiss.
	w.startClient(t)
	c := dial(t, w.controlSocket())
	fetch(t, socksPort, "circ="+w.paid(t, c)).goesOn(t)
	w.client.stop(t)
	if got := w.options(t); got != w.base {
		t.Errorf("after a clean end tor has %q, want %q", got, w.base)
	}
	if got := names(); strings.Contains(got, ".tops ") {
		t.Errorf("after a clean end tor has names: %s", got)
	}
}
