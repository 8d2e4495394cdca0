package e2e_test

import (
	"context"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/tor"
)

// lightningAddress has the relay paid by a Lightning Address, which is an onion
// service of its own tor. The client asks it through tor, each time on a circuit that
// nothing else shares.
func (w *world) lightningAddress(t *testing.T) {
	const inside, onionPort = "127.0.0.1:9403", "127.0.0.1:9404"
	door := openDoor(t, onionPort, inside)
	service := events(t, w.exit.ControlSocket, "HS_DESC") // which ends with this connection
	reply, err := service.Do(t.Context(), "ADD_ONION NEW:ED25519-V3 Flags=DiscardPK Port=80,"+onionPort)
	if err != nil {
		t.Fatal(err)
	}
	id := reply.Values()["ServiceID"]
	t.Cleanup(func() { w.restartRelay(t, nil) })
	address := "relay@" + id + ".onion"
	w.restartRelay(t, func(r *config.Relay) {
		r.LightningAddress, r.LNURLListen = address, inside
		r.Interval, r.Grace = config.Duration(8*time.Second), config.Duration(8*time.Second)
	})
	isPublished(t, service)
	isFound(t, events(t, w.net.Clients[0].ControlSocket, "HS_DESC"), id)
	if terms := w.terms(t); terms.Descriptor.Value != address {
		t.Fatalf("the relay's terms name %q", terms.Descriptor.Value)
	}
	asked := streamsTo(t, w.net.Clients[0].ControlSocket, id+".onion:80")

	c := w.controller(t)
	circ := c.extend(t, w.path)
	c.wait(t, "the pay stream", 30*time.Second, on(circ, controlspec.StatusFree))
	for round := range 2 {
		paid := c.wait(t, "a payment", time.Minute, func(e controlspec.PayStreamEvent) bool {
			return on(circ, controlspec.StatusPaid)(e) && e.PaidMsat >= int64(1000*(round+1))
		})
		if paid.PaidMsat != int64(1000*(round+1)) {
			t.Errorf("paid %d msat in round %d", paid.PaidMsat, paid.Round)
		}
	}
	c.closeCircuit(circ)

	passwords := asked()
	if n := door(); n < 2 || len(passwords) < 2 {
		t.Errorf("%d connections came to the address, by %d streams of tor; want one for each payment", n, len(passwords))
	}
	seen := map[string]bool{}
	for _, p := range passwords {
		if p == "" || seen[p] {
			t.Errorf("two payments share a circuit, or have no isolation: %q", passwords)
		}
		seen[p] = true
	}
	node := cln.NewClient(w.rpc("payee"))
	defer node.Close()
	var last cln.Invoice
	for from := uint64(1); ; {
		rows, err := node.ListInvoices(t.Context(), from, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		last, from = rows[len(rows)-1], rows[len(rows)-1].CreatedIndex+1
	}
	if last.OfferID != "" || last.Bolt11 == "" || !strings.Contains(last.Description, address) {
		t.Errorf("the last invoice is not the address's: %.80q", last.Description)
	}
}

// openDoor passes connections on and counts them.
func openDoor(t *testing.T, at, to string) (count func() int) {
	ln, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var mu sync.Mutex
	n := 0
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			n++
			mu.Unlock()
			go pass(conn, to)
		}
	}()
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

func pass(conn net.Conn, to string) {
	defer conn.Close()
	next, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer next.Close()
	go func() {
		_, _ = io.Copy(next, conn) // one side ending ends both
		next.Close()
	}()
	_, _ = io.Copy(conn, next)
}

// isPublished waits until a relay has taken the descriptor of an onion service.
func isPublished(t *testing.T, conn *tor.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		e, err := conn.NextEvent(ctx)
		if err != nil {
			t.Fatalf("the onion service is not published: %v", err)
		}
		if strings.HasPrefix(e.Lines[0].Text, "HS_DESC UPLOADED ") {
			return
		}
	}
}

// isFound has a client's tor fetch the descriptor of an onion service, until it has it:
// not every directory that it may ask has been told yet.
func isFound(t *testing.T, conn *tor.Conn, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		if _, err := conn.Do(ctx, "HSFETCH "+id); err != nil {
			t.Fatal(err)
		}
		for outcome := ""; outcome != "FAILED"; {
			e, err := conn.NextEvent(ctx)
			if err != nil {
				t.Fatalf("the onion service is not found: %v", err)
			}
			if words := strings.Fields(e.Lines[0].Text); len(words) > 2 && words[2] == id {
				outcome = words[1]
			}
			if outcome == "RECEIVED" {
				return
			}
		}
	}
}

// streamsTo lists, when called, the SOCKS passwords of tor's streams to a target: what
// keeps them apart.
func streamsTo(t *testing.T, socket, target string) (passwords func() []string) {
	conn := events(t, socket, "STREAM")
	word := regexp.MustCompile(`SOCKS_PASSWORD="([^"]*)"`)
	var mu sync.Mutex
	var list []string
	go func() {
		for {
			e, err := conn.NextEvent(context.Background())
			if err != nil {
				return
			}
			text := e.Lines[0].Text
			if !strings.HasPrefix(text, "STREAM ") || !strings.Contains(text, " NEW ") || !strings.Contains(text, " "+target+" ") {
				continue
			}
			password := ""
			if m := word.FindStringSubmatch(text); m != nil {
				password = m[1]
			}
			mu.Lock()
			list = append(list, password)
			mu.Unlock()
		}
	}()
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string{}, list...)
	}
}

func events(t *testing.T, socket, which string) *tor.Conn {
	t.Helper()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Do(t.Context(), "SETEVENTS "+which); err != nil {
		t.Fatal(err)
	}
	return conn
}
