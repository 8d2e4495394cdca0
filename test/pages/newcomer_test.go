//go:build world

package pages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// TestNewcomer does what README says first: git clone, and make demo, in a fresh
// folder. The address is README's; git is told that it is this repository.
func TestNewcomer(t *testing.T) {
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	const typed = "git clone https://github.com/el-tor/tops && cd tops\nmake demo\n"
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", typed)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GIT_CONFIG_COUNT=2",
		"GIT_CONFIG_KEY_0=url."+top+".insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/el-tor/tops",
		"GIT_CONFIG_KEY_1=safe.directory", "GIT_CONFIG_VALUE_1=*")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	last := regexp.MustCompile(`(?m)^demo: ok, .*$`).Find(out)
	if last == nil {
		t.Fatalf("no demo: ok\n%s", out)
	}
	t.Logf("from git clone to its last line in %v: %s", time.Since(began).Round(time.Second), last)
}
