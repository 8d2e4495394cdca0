package e2e_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/paystream"
)

// block sends a command with a data block, on a connection of its own, and returns
// the reply's last line.
func (w *world) block(t *testing.T, command string) string {
	t.Helper()
	cookie, err := os.ReadFile(filepath.Join(w.net.Clients[0].Dir, "control_auth_cookie"))
	if err != nil {
		t.Fatal(err)
	}
	conn := w.rawController(t)
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "AUTHENTICATE %s\r\n%s.\r\n", hex.EncodeToString(cookie), command); err != nil {
		t.Fatal(err)
	}
	conn.CloseWrite()
	said, err := io.ReadAll(bufio.NewReader(conn))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\r\n")
	if lines[0] != "250 OK" {
		t.Fatalf("AUTHENTICATE: %s", lines[0])
	}
	return lines[len(lines)-1]
}

// brought is what a controller brings for one hop.
type brought struct {
	preimage paystream.Preimage
	ids      []paystream.RoundID
}

func (w *world) bring() brought {
	b := brought{preimage: paystream.NewPreimage()}
	for range controlspec.PaidRounds {
		b.ids = append(b.ids, paystream.RoundID(paystream.NewPreimage().Hex()))
		w.stranger.secrets = append(w.stranger.secrets, string(b.ids[len(b.ids)-1]))
	}
	w.stranger.secrets = append(w.stranger.secrets, b.preimage.Hex(), b.preimage.Hash().Hex())
	return b
}

func (b brought) line(fingerprint string) string {
	line := fingerprint + " " + b.preimage.Hash().Hex() + b.preimage.Hex()
	for _, id := range b.ids {
		line += string(id)
	}
	return line + "\r\n"
}

// selfPaid plays a controller that speaks El Tor's form of EXTENDPAIDCIRCUIT and
// pays by itself: the notes are its own, and so is the money.
func (w *world) selfPaid(t *testing.T) {
	w.steady(t)
	c := w.controller(t)
	terms, spent := w.terms(t), w.totals(t, "client").SpentMsat
	hops := []brought{w.bring(), w.bring(), w.bring()}
	exit := hops[2]
	command := "+EXTENDPAIDCIRCUIT 0\r\n"
	for i, h := range hops {
		command += h.line(w.path[i])
	}

	unfit := strings.Replace(command, exit.preimage.Hex(), paystream.NewPreimage().Hex(), 1)
	if got, want := w.block(t, unfit), "512 Hop 3: the payment id hash is not the SHA-256 of the preimage"; got != want {
		t.Errorf("a preimage that does not fit: %q, want %q", got, want)
	}
	got := w.block(t, command)
	circ, ok := strings.CutPrefix(got, "250 EXTENDED ")
	if !ok {
		t.Fatalf("+EXTENDPAIDCIRCUIT: %s", got)
	}
	t.Cleanup(func() { c.closeCircuit(circ) })
	handle := string(exit.preimage.Hash().Handle())
	c.wait(t, "the relay to admit it", 20*time.Second, of(handle, controlspec.StatusFree))
	if got, want := w.block(t, command), "551 Pay stream "+handle+" was begun before: every pay stream needs a fresh payment id hash"; got != want {
		t.Errorf("the same hash again: %q, want %q", got, want)
	}

	// Two rounds are paid by the controller, under its own ids.
	for r := 2; r <= 3; r++ {
		c.wait(t, fmt.Sprintf("round %d to be due", r), 3*interval, func(e controlspec.PayStreamEvent) bool {
			return of(handle, controlspec.StatusDue)(e) && e.Round >= r
		})
		w.stranger.pay(t, terms, exit.ids[r-1], 1000)
		e := c.wait(t, fmt.Sprintf("round %d to be paid", r), interval+grace, func(e controlspec.PayStreamEvent) bool {
			return of(handle, controlspec.StatusPaid)(e) && e.PaidMsat == int64(1000*(r-1))
		})
		if e.CircID != circ || e.Hop != 3 || e.Relay != w.exit.Fingerprint {
			t.Errorf("event %+v", e)
		}
	}
	startDownload(t, circ).goesOn(t)

	// Then it is not paid any more, by anybody.
	closed := c.wait(t, "the end of the unpaid pay stream", 3*interval+grace+5*time.Second, of(handle, controlspec.StatusClosed))
	if closed.Reason != "LATE" || closed.PaidMsat != 2000 {
		t.Errorf("closed with REASON=%s after %d msat, want LATE after 2000", closed.Reason, closed.PaidMsat)
	}
	if after := w.totals(t, "client").SpentMsat; after != spent {
		t.Errorf("tops paid %d msat of what the controller pays", after-spent)
	}
}
