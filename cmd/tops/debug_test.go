package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
)

// runProxyAlone runs tops with a configuration that has no role, and returns its
// log.
func runProxyAlone(t *testing.T, file string, recent *logTail) logged {
	t.Helper()
	log := make(logged, 64)
	c := runCmd{configFlag{Config: file}}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- c.Run(&env{ctx: ctx, stdout: io.Discard, log: zerolog.New(zerolog.MultiLevelWriter(log, recent)), recent: recent})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	log.wait(t, "running")
	return log
}

func put(t *testing.T, path, format string, args ...any) string {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// SIGHUP ends nothing, whatever the file says by then, and tells what takes a new
// start.
func TestReloadOnHangup(t *testing.T) {
	dir := t.TempDir()
	file := put(t, filepath.Join(dir, "tops.toml"), "data_dir = %q\n", dir)
	log := runProxyAlone(t, file, newLogTail())
	for _, step := range []struct{ text, says string }{
		{"data_dri = 1", "configuration not reloaded"},
		{fmt.Sprintf("data_dir = %q\n[proxy]\nlisten = [\"unix:%s/c\"]\n", dir, dir), `"keys":["proxy.listen"]`},
		{fmt.Sprintf("data_dir = %q\n[lightning]\nrpc = \"x\"\n[client]\n", dir), `"keys":["client","lightning.rpc"]`},
		{fmt.Sprintf("data_dir = %q\n", dir), "configuration reloaded"},
	} {
		put(t, file, "%s", step.text)
		syscall.Kill(os.Getpid(), syscall.SIGHUP)
		log.wait(t, step.says)
	}
}

// Secrets are planted wherever a bundle looks; none is in it.
func TestBundleHasNoSecrets(t *testing.T) {
	dir := t.TempDir()
	const secret, url = "correct-horse", "battery-staple"
	hex := strings.Repeat("5ec2e7", 10) + "beef"
	password := put(t, filepath.Join(dir, "password"), "%s\n", secret)
	file := put(t, filepath.Join(dir, "tops.toml"), "data_dir = %q\n[tor]\ncontrol = %q\npassword_file = %q\n", dir, agreeable(t), password)
	recent := newLogTail()
	runProxyAlone(t, file, recent)
	fmt.Fprintf(recent, "the password is %s\n", secret)
	fmt.Fprintf(recent, "preimage=%s upper=%s\n", hex, strings.ToUpper(hex))
	fmt.Fprintf(recent, "paid lnbc10u1p%s\n", strings.Repeat("q", 60))
	fmt.Fprintf(recent, "postgres://tops:%s@db/tops\n", url)

	t.Setenv("TOPS_BOOKS", "postgres://tops:"+url+"@127.0.0.1:1/tops")
	c := debugBundleCmd{configFlag: configFlag{Config: file}, File: filepath.Join(dir, "bundle.tar.gz")}
	e := &env{ctx: t.Context(), stdout: io.Discard, log: zerolog.Nop(), recent: newLogTail()}
	if err := c.Run(e); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(e); err == nil {
		t.Error("a bundle was written over")
	}
	if info, err := os.Stat(c.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	files := unpack(t, c.File)
	for name, want := range map[string]string{
		"version.txt": "github.com/el-tor/tops", "config.json": `"tor.password_file"`, "status.json": `"paystreams"`, "goroutines.txt": "goroutine profile",
		"log.txt": "the password is xxxxx", "doctor.json": `"check"`, "ledger.json": "error:", "node.json": "{", "tor.txt": "",
	} {
		text, ok := files["tops-debug/"+name]
		if !ok || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q in it", name, text, want)
		}
	}
	for name, text := range files {
		for _, s := range []string{secret, url, hex, "lnbc10u1p"} {
			if strings.Contains(strings.ToLower(text), s) {
				t.Errorf("%s holds %q:\n%s", name, s, text)
			}
		}
	}
}

func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(text)
	}
}
