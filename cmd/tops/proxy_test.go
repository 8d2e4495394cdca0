package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/policies/access"
	"github.com/rs/zerolog"
)

// agreeable is a tor without authentication that says OK to everything.
func agreeable(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tor")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for r := bufio.NewReader(conn); ; {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if strings.HasPrefix(line, "PROTOCOLINFO") {
						io.WriteString(conn, "250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n")
					}
					io.WriteString(conn, "250 OK\r\n")
				}
			}()
		}
	}()
	return "unix:" + path
}

// start runs a subcommand until stop, which returns its error.
func start(t *testing.T, log io.Writer, run func(*env) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- run(&env{ctx: ctx, stdout: io.Discard, log: zerolog.New(log), recent: newLogTail()}) }()
	return func() error { cancel(); return <-done }
}

// logged is what was logged.
type logged chan string

func (l logged) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// wait reads on until something is logged.
func (l logged) wait(t *testing.T, what string) {
	t.Helper()
	for timeout := time.After(10 * time.Second); ; {
		select {
		case line := <-l:
			if strings.Contains(line, what) {
				return
			}
		case <-timeout:
			t.Fatalf("%q is not logged", what)
		}
	}
}

// talk connects, waiting for the socket, and returns a function that asks.
func talk(t *testing.T, path string) (ask func(string) string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	for deadline := time.Now().Add(10 * time.Second); err != nil; conn, err = net.Dial("unix", path) {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	return func(cmd string) string {
		fmt.Fprint(conn, cmd+"\r\n")
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("%q: %v", cmd, err)
		}
		return strings.TrimSpace(line)
	}
}

func TestProxyAlone(t *testing.T) {
	dir := t.TempDir()
	profile := filepath.Join(dir, "mail.toml")
	write := func(commands string) {
		if err := os.WriteFile(profile, []byte("[match]\nanybody = true\n[commands]\n"+commands+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`SIGNAL = ["NEWNYM"]`)
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	c := proxyCmd{Policy: []string{profile}, proxyFlags: proxyFlags{
		Listen: []string{"unix:" + a, "unix:" + b}, Upstream: agreeable(t), Auth: "pass", Mode: "0600",
	}}
	log := make(logged, 64)
	stop := start(t, log, c.Run)
	for _, path := range []string{a, b} {
		ask := talk(t, path)
		if got := ask("AUTHENTICATE"); got != "250 OK" {
			t.Fatal(got)
		}
		if got := ask("SIGNAL NEWNYM"); got != "250 OK" {
			t.Error(got)
		}
		if got := ask("SIGNAL HALT"); got != `510 SIGNAL refused: "HALT" is not allowed (profile mail)` {
			t.Error(got)
		}
	}
	ask := talk(t, a)
	ask("AUTHENTICATE")
	for _, step := range []struct{ commands, logs, halt string }{
		{`SIGNAL = ["NEWNYM", "HALT"]`, "policy reloaded", "250 OK"}, // for those who are connected too
		{"nonsense", "policy not reloaded", "250 OK"},                // the former one holds
		{`SIGNAL = true`, "policy reloaded", "250 OK"},
		{`GETINFO = true`, "policy reloaded", `510 "SIGNAL" is not allowed (profile mail)`},
	} {
		write(step.commands)
		syscall.Kill(os.Getpid(), syscall.SIGHUP)
		log.wait(t, step.logs)
		if got := ask("SIGNAL HALT"); got != step.halt {
			t.Errorf("with %s: %s", step.commands, got)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// The service manager hears when controllers may connect.
func TestProxyNotifies(t *testing.T) {
	dir := t.TempDir()
	sock := filepath.Join(dir, "sock")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	manager.SetDeadline(time.Now().Add(10 * time.Second))
	t.Setenv("NOTIFY_SOCKET", manager.LocalAddr().String())
	c := proxyCmd{proxyFlags: proxyFlags{Listen: []string{"unix:" + sock}, Upstream: agreeable(t), Auth: "pass", Mode: "0600"}}
	stop := start(t, io.Discard, c.Run)
	heard := func() string {
		buf := make([]byte, 100)
		n, err := manager.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		return string(buf[:n])
	}
	if got := heard(); got != "READY=1" {
		t.Error(got)
	}
	if _, err := net.Dial("unix", sock); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := heard(); got != "STOPPING=1" {
		t.Error(got)
	}
}

func TestPolicyLearn(t *testing.T) {
	dir := t.TempDir()
	sock, out := filepath.Join(dir, "sock"), filepath.Join(dir, "mail.toml")
	c := policyLearnCmd{Out: out, User: "alice", proxyFlags: proxyFlags{
		Listen: []string{"unix:" + sock}, Upstream: agreeable(t), Auth: "pass", Mode: "0600",
	}}
	stop := start(t, io.Discard, c.Run)
	ask := talk(t, sock)
	for _, cmd := range []string{"AUTHENTICATE", "GETINFO version ns/id/ABC", "SIGNAL NEWNYM", "SETEVENTS CIRC", "ADD_ONION ED25519-V3:c2VjcmV0 Port=80"} {
		if got := ask(cmd); got != "250 OK" {
			t.Fatalf("%s: %s", cmd, got)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	set, err := access.Load(out)
	if err != nil {
		t.Fatal(err)
	}
	for cmd, ok := range map[string]bool{
		"GETINFO ns/id/DEF": true, "GETINFO version": true, "GETINFO address": false, "SIGNAL HALT": false,
		"SETEVENTS CIRC": true, "SETEVENTS STREAM": false, "ADD_ONION ED25519-V3:b3RoZXI= Port=80": true, "ADD_ONION NEW:BEST Port=80": false,
	} {
		if e := set.Explain(access.WithUser("alice"), cmd); e.Allowed != ok {
			t.Errorf("%s: %s", cmd, e)
		}
	}
	if text, _ := os.ReadFile(out); strings.Contains(string(text), "c2VjcmV0") {
		t.Error("a private key was written down")
	}
}

// Each listener has its own way to let controllers in.
func TestProxyListenersDiffer(t *testing.T) {
	dir := t.TempDir()
	a, b, cookie := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "cookie")
	c := proxyCmd{proxyFlags: proxyFlags{
		Listen: []string{"unix:" + a, "unix:" + b + "?auth=own&mode=0660"}, Upstream: agreeable(t), Auth: "pass", Mode: "0600", Cookie: cookie,
	}}
	stop := start(t, io.Discard, c.Run)
	for path, want := range map[string]struct {
		methods string
		mode    os.FileMode
	}{
		a: {"250-AUTH METHODS=NULL", 0o600},
		b: {`250-AUTH METHODS=NULL,COOKIE,SAFECOOKIE COOKIEFILE="` + cookie + `"`, 0o660},
	} {
		ask := talk(t, path)
		first, methods := ask("PROTOCOLINFO 1"), ask("AUTHENTICATE")
		if first != "250-PROTOCOLINFO 1" || methods != want.methods {
			t.Errorf("%s, %s, want %s", first, methods, want.methods)
		}
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want.mode {
			t.Errorf("mode %v, %v, want %v", fi.Mode(), err, want.mode)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cookie); !os.IsNotExist(err) {
		t.Errorf("the cookie is left: %v", err)
	}
	for _, listen := range []string{"unix:" + a + "?mode=9", "192.0.2.1:9?remote=true"} {
		bad := proxyCmd{proxyFlags: proxyFlags{Listen: []string{listen}, Auth: "pass", Mode: "0600"}}
		if err := start(t, io.Discard, bad.Run)(); err == nil {
			t.Errorf("%s was accepted", listen)
		}
	}
}
