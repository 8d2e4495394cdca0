package cln_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/cln/clnsim"
)

func TestCallsShareAConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	waiting := make(chan error, 1)
	go func() {
		_, err := w.bob.WaitAnyInvoice(t.Context(), 0, time.Second)
		waiting <- err
	}()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if info, err := w.bob.GetInfo(t.Context()); err != nil || info.Alias != "PLAY MONEY bob" {
				t.Errorf("%+v, %v", info, err)
			}
		})
	}
	wg.Wait()
	if err := <-waiting; !cln.HasCode(err, cln.CodeWaitTimeout) {
		t.Errorf("waitanyinvoice: %v", err)
	}
}

func TestErrorsOfThreeKinds(t *testing.T) {
	w := newWorld(t, options{})
	var e *cln.Error
	if err := w.bob.Call(t.Context(), "nosuch", nil, nil); !errors.As(err, &e) || e.Code != cln.CodeUnknownMethod || e.Method != "nosuch" {
		t.Errorf("the node said no: %v", err)
	}

	nobody := cln.NewClient(filepath.Join(t.TempDir(), "nobody"))
	defer nobody.Close()
	if err := nobody.Call(t.Context(), "getinfo", nil, nil); !errors.Is(err, cln.ErrUnreachable) {
		t.Errorf("nobody there: %v", err)
	}

	ctx := within(t, 20*time.Millisecond)
	if _, err := w.bob.WaitAnyInvoice(ctx, 0, time.Minute); !errors.Is(err, cln.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("too slow: %v", err)
	}

	waiting := make(chan error, 1)
	called := make(chan struct{})
	go func() {
		close(called)
		_, err := w.bob.WaitAnyInvoice(t.Context(), 0, time.Minute)
		waiting <- err
	}()
	<-called
	if _, err := w.bob.GetInfo(t.Context()); err != nil { // the other call is very likely on its way now
		t.Fatal(err)
	}
	w.outage("bob", true)
	if err := <-waiting; !errors.Is(err, cln.ErrNoAnswer) && !errors.Is(err, cln.ErrUnreachable) {
		t.Errorf("connection cut: %v", err)
	}
	if err := w.bob.Call(t.Context(), "getinfo", nil, nil); !errors.Is(err, cln.ErrUnreachable) {
		t.Errorf("outage: %v", err)
	}
	w.outage("bob", false)
	if err := w.bob.Call(t.Context(), "getinfo", nil, nil); err != nil {
		t.Errorf("after the outage: %v", err)
	}

	if err := w.bob.Close(); err != nil {
		t.Error(err)
	}
	if err := w.bob.Call(t.Context(), "getinfo", nil, nil); !errors.Is(err, cln.ErrUnreachable) {
		t.Errorf("closed: %v", err)
	}
}

func TestHangUpIsNoAnswer(t *testing.T) {
	w := newWorld(t, options{})
	w.setFaults("bob", clnsim.Faults{HangUpRate: 1})
	if err := w.bob.Call(t.Context(), "getinfo", nil, nil); !errors.Is(err, cln.ErrNoAnswer) {
		t.Errorf("%v", err)
	}
}

// What a node says is kept as it stands: no escapes for HTML, which Core Lightning would store as they are.
func TestTextArrivesAsItIs(t *testing.T) {
	w := newWorld(t, options{})
	want := `é漢😀 <&> \u003c`
	o, err := w.bob.MakeOffer(t.Context(), strings.ReplaceAll(want, `\`, "/"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := w.bob.ListOffers(t.Context())
	if err != nil || len(all) != 1 || all[0].Description != strings.ReplaceAll(want, `\`, "/") {
		t.Errorf("%+v, %v", all, err)
	}
	text, err := w.alice.FetchInvoice(t.Context(), o.Bolt12, 1000, "é<&>", "ab", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := w.alice.Decode(t.Context(), text); err != nil || d.PayerNote != "é<&>" {
		t.Errorf("note %q, %v", d.PayerNote, err)
	}
}

// A node that answers in its own way: in pieces, out of order, with a large answer and ids beyond what a float holds.
func TestOddAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		// Both calls are read before either is answered.
		r := bufio.NewReader(conn)
		for range 2 {
			if _, err := r.ReadBytes('}'); err != nil {
				return
			}
			if _, err := r.ReadBytes('}'); err != nil {
				return
			}
		}
		large := strings.Repeat("x", 1<<20)
		fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":2,"result":{"alias":%q,"groupid":192806389488189250}}`+"\n\n", large)
		fmt.Fprintf(conn, "  {\"jsonrpc\":\"2.0\",\n\"id\":1,")
		fmt.Fprintf(conn, `"result":{"alias":"first","num_peers":1}}`+"\n\n")
		_, _ = r.ReadByte() // until the client closes
	}()
	c := cln.NewClient(path)
	lengths := make(chan int, 2)
	for range 2 {
		go func() {
			info, err := c.GetInfo(t.Context())
			if err != nil {
				t.Error(err)
			}
			lengths <- len(info.Alias)
		}()
	}
	if sum := <-lengths + <-lengths; sum != 1<<20+len("first") {
		t.Errorf("%d characters", sum)
	}
	_ = c.Close()
	<-served
}

func TestErrorTextHoldsNoSecrets(t *testing.T) {
	w := newWorld(t, options{})
	d := w.offer()
	one := request(d, 1)
	if _, err := w.alice.FetchInvoice(t.Context(), d.Value, 1000, string(one.Note), one.Metadata, time.Second); err != nil {
		t.Fatal(err)
	}
	_, err := w.alice.FetchInvoice(t.Context(), d.Value, 2000, string(one.Note), one.Metadata, time.Second)
	if !cln.HasCode(err, cln.CodeOfferRefused) {
		t.Fatal(err)
	}
	noSecrets(t, err, one.Metadata, string(one.Note))
	if _, err = w.alice.Decode(t.Context(), d.Value+"qq"); err == nil {
		t.Fatal("it decodes")
	}
	noSecrets(t, err, d.Value)
}
