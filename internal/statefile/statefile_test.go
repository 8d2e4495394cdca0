package statefile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/el-tor/tops/internal/statefile"
)

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	var got map[string]int
	if err := statefile.Load(path, &got); err != nil || got != nil {
		t.Fatalf("a missing file: %v, %v; want nothing", got, err)
	}
	for i := range 3 {
		if err := statefile.Save(path, map[string]int{"n": i}); err != nil {
			t.Fatal(err)
		}
	}
	if err := statefile.Load(path, &got); err != nil || got["n"] != 2 {
		t.Fatalf("loaded %v, %v; want the last value", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".new-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := statefile.Load(path, &got); err == nil {
		t.Error("half a file was read without an error")
	}
}
