//go:build world

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
)

// hidden is an onion service, and a controller of its tor.
type hidden struct {
	name string
	*tor.Conn
}

// hide makes an onion service at a node, which says hello and ends.
func (w *apps) hide(t *testing.T, node *testnet.Node) *hidden {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { ln.Close(); <-ended })
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "hello")
			conn.Close()
		}
	}()
	conn, err := tor.Dial(t.Context(), tor.Options{Address: node.ControlSocket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) // the service goes with it
	if _, err := conn.Do(t.Context(), "SETEVENTS HS_DESC"); err != nil {
		t.Fatal(err)
	}
	reply, err := conn.Do(t.Context(), fmt.Sprintf("ADD_ONION NEW:ED25519-V3 Flags=DiscardPK Port=80,%s", ln.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	return &hidden{strings.TrimPrefix(reply.Lines[0].Text, "ServiceID=") + ".onion", conn}
}

// published waits until the service's descriptors are where clients look for them: who
// asks too early is not answered for minutes.
func (h *hidden) published(t *testing.T) {
	for limit, uploads := 90*time.Second, 0; ; {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		e, err := h.NextEvent(ctx)
		cancel()
		switch {
		case err != nil && uploads > 0: // no more came for a while
			return
		case err != nil:
			t.Fatalf("the onion service is not published: %v", err)
		case strings.HasPrefix(e.Lines[0].Text, "HS_DESC UPLOADED "):
			uploads++
			limit = 2 * time.Second
		}
	}
}

// onion connects to an onion service: tor does it, and nobody is paid.
func (w *apps) onion(t *testing.T) {
	w.hidden.published(t)
	before := w.usersOf(t)
	var last error
	until(t, "the onion service to answer", 60*time.Second, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		conn, err := dialAs(ctx, "onion", w.hidden.name+":80")
		if err != nil {
			last = err
			return false
		}
		defer conn.Close()
		said, err := io.ReadAll(conn)
		last = err
		return string(said) == "hello"
	}, func() string { return fmt.Sprint(last) })
	if now := w.usersOf(t); len(now) > len(before) {
		t.Errorf("circuits %v, and %v before: one is paid for an onion service", now, before)
	}
}
