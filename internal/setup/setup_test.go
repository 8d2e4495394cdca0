package setup

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindNodes(t *testing.T) {
	dir, err := os.MkdirTemp("", "setup") // short, for the paths of sockets
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, path := range []string{"a/.lightning/regtest", "b/.lightning/bitcoin", "c/.lightning/signet", "d/.lightning/bitcoin"} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		socket := filepath.Join(path, "lightning-rpc")
		if filepath.Base(filepath.Dir(filepath.Dir(path))) == "d" { // not a socket
			if err := os.WriteFile(socket, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		ln, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
	// The same place twice, as root's home may be.
	got := findNodes([]string{filepath.Join(dir, "*", ".lightning"), filepath.Join(dir, "a", ".lightning"), filepath.Join(dir, "nobody")})
	want := []Node{
		{filepath.Join(dir, "b/.lightning/bitcoin/lightning-rpc"), "bitcoin"},
		{filepath.Join(dir, "c/.lightning/signet/lightning-rpc"), "signet"},
		{filepath.Join(dir, "a/.lightning/regtest/lightning-rpc"), "regtest"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "etc", "tops.toml")
	for _, text := range []string{"one", "two", "three"} {
		p := &RelayPlan{File: path, Text: text}
		if err := p.Write(); err != nil {
			t.Fatal(err)
		}
		if !p.Written {
			t.Error("written, and does not say so")
		}
	}
	for file, want := range map[string]string{path: "three", path + ".old": "two"} {
		text, err := os.ReadFile(file)
		if err != nil || string(text) != want {
			t.Errorf("%s: %q, %v; want %q", filepath.Base(file), text, err, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestWriteForAGroup(t *testing.T) {
	g, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
	if err != nil {
		t.Fatal(err)
	}
	p := &RelayPlan{File: filepath.Join(t.TempDir(), "tops.toml"), Group: g.Name}
	if err := p.Write(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(p.File)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	p.Group = "nobody-has-this-group"
	if err := p.Write(); err == nil {
		t.Error("a group that is not there was taken")
	}
}

func TestWriteWhereNobodyMay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &RelayPlan{File: filepath.Join(file, "tops.toml"), Text: "x"}
	if err := p.Write(); err == nil || p.Written {
		t.Error("written below a file")
	}
}

func TestNothingWasAdded(t *testing.T) {
	removed, err := removeAddress(t.TempDir())
	if err != nil || len(removed) != 0 {
		t.Errorf("%v, %v", removed, err)
	}
}
