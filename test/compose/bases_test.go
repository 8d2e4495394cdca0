//go:build world

package compose_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bases returns the environment that names base images: the official ones if
// they are there or a registry has them, else images made here.
func bases(t *testing.T) []string {
	const official = "debian:bookworm-slim"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if exec.CommandContext(ctx, "docker", "image", "inspect", official).Run() == nil ||
		exec.CommandContext(ctx, "docker", "pull", "-q", official).Run() == nil {
		return nil
	}
	t.Log("no registry: base images are made from Debian's packages")
	debian, golang := "tops-test/debian", "tops-test/golang"
	if exec.CommandContext(ctx, "docker", "image", "inspect", debian, golang).Run() != nil {
		dir := t.TempDir()
		tar := filepath.Join(dir, "debian.tar")
		run(t, nil, "mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", "bookworm", tar)
		run(t, nil, "docker", "import", tar, debian)
		golangImage(t, debian, golang)
	}
	return []string{"DEBIAN_IMAGE=" + debian, "GO_IMAGE=" + golang}
}

// golangImage adds the installed Go to an image, and the modules that were
// downloaded here, so that the build in it needs no module proxy.
func golangImage(t *testing.T, from, name string) {
	run(t, nil, "go", "mod", "download")
	goroot := strings.TrimSpace(run(t, nil, "go", "env", "GOROOT"))
	modules := filepath.Join(strings.TrimSpace(run(t, nil, "go", "env", "GOMODCACHE")), "cache")
	dir := t.TempDir()
	dockerfile := "FROM " + from + "\nCOPY go /usr/local/go\nCOPY download /modules\n" +
		"ENV PATH=/usr/local/go/bin:/usr/bin:/bin GOPROXY=file:///modules GOTOOLCHAIN=local\n"
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		t.Fatal(err)
	}
	// The context goes as one stream, so that nothing is copied first.
	script := `tar -c -C "$1" Dockerfile -C "$2" --exclude=.git "$3" -C "$4" download | docker build -q -t "$5" -`
	if filepath.Base(goroot) != "go" {
		script = `tar -c -C "$1" Dockerfile -C "$2" --exclude=.git --transform "s,^$3,go," "$3" -C "$4" download | docker build -q -t "$5" -`
	}
	run(t, nil, "sh", "-ec", script, "sh", dir, filepath.Dir(goroot), filepath.Base(goroot), modules, name)
}

// run runs a command at the root of the repository and returns what it printed.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}
