package app

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/client"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/paystream/memjournal"
)

// answeringTor is a control port that says yes to everything. gone waits until nobody
// is connected to it any more, and says whether that came.
func answeringTor(t *testing.T) (o tor.Options, gone func() bool) {
	t.Helper()
	ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	var there sync.WaitGroup
	go func() {
		for {
			sock, err := ln.Accept()
			if err != nil {
				return
			}
			there.Go(func() {
				defer sock.Close()
				for lines := bufio.NewScanner(sock); lines.Scan(); {
					answer := "250 OK\r\n"
					switch verb, rest, _ := strings.Cut(lines.Text(), " "); verb {
					case "PROTOCOLINFO":
						answer = "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250 OK\r\n"
					case "GETINFO":
						answer = "250-" + rest + "=\r\n250 OK\r\n"
					}
					io.WriteString(sock, answer)
				}
			})
		}
	}()
	return tor.Options{Address: "unix:" + ln.Addr().String()}, func() bool {
		done := make(chan struct{})
		go func() { there.Wait(); close(done) }()
		select {
		case <-done:
			return true
		case <-time.After(5 * time.Second):
			return false
		}
	}
}

// A tops that ends before it has run lets go of tor: else its client would set again
// what the guardian puts back.
func TestACloseBeforeTheRunLetsGoOfTor(t *testing.T) {
	cfg, err := config.Parse("data_dir = \"/nowhere\"\n[lightning]\nrpc = \"x\"\n[client]\n")
	if err != nil {
		t.Fatal(err)
	}
	at, gone := answeringTor(t)
	a := &App{cfg: cfg}
	for _, o := range []tor.Options{{Address: "unix:/nowhere"}, at} { // one whose tor is not there is closed too
		a.client, err = client.New(t.Context(), client.Config{
			Client: cfg.Client, Tor: o, Journal: memjournal.New(), Now: time.Now,
			StateFile: filepath.Join(t.TempDir(), "tor.json"), BookFile: filepath.Join(t.TempDir(), "book.json"),
		})
		if err != nil && o == at {
			t.Fatal(err)
		}
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}
	if !gone() {
		t.Error("somebody is still connected to tor")
	}
}
