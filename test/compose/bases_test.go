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

// label is on the base images that are made here, and so on all that is built on
// them: by it everything is found again at the end.
const label = "net.el-tor.tops.test=compose"

const debian, golang = "tops-test/debian", "tops-test/golang"

// images are the names of what is built, so that no image of the user's is replaced.
var images = []string{
	"DEBIAN_IMAGE=" + debian, "GO_IMAGE=" + golang,
	"TOPS_IMAGE=tops-test/tops", "TOPS_WORLD_TOR_IMAGE=tops-test/world-tor", "TOPS_WORLD_WEB_IMAGE=tops-test/world-web",
}

// bases makes the base images: of Debian's packages, and of these and the Go that is
// installed. Each is one layer, since some of Docker's drivers walk all files for
// each step.
func bases(t *testing.T) {
	if os.Getenv("KEEP_IMAGES") != "" && exec.Command("docker", "image", "inspect", debian, golang).Run() == nil {
		return
	}
	began := time.Now()
	tar := filepath.Join(t.TempDir(), "debian.tar")
	run(t, nil, "mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates", `--aptopt=Acquire::Languages "none"`,
		"--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*", "bookworm", tar)
	run(t, nil, "docker", "import", "--change", "LABEL "+label, tar, debian)
	t.Logf("Debian's image was made in %v", time.Since(began).Round(time.Second))
	began = time.Now()
	addGo(t, tar)
	run(t, nil, "docker", "import", "--change", "LABEL "+label, "--change", "ENV PATH=/usr/local/go/bin:/usr/bin:/bin",
		"--change", "ENV GOPROXY=file:///modules", "--change", "ENV GOTOOLCHAIN=local", tar, golang)
	t.Logf("Go's image was made in %v", time.Since(began).Round(time.Second))
}

// addGo adds the installed Go to an image's tar, and the modules that tops is built
// of, so that the build needs no module proxy.
func addGo(t *testing.T, tar string) {
	run(t, nil, "go", "build", "-o", "/dev/null", "./cmd/tops") // has the modules downloaded
	goroot := strings.TrimSpace(run(t, nil, "go", "env", "GOROOT"))
	cache := filepath.Join(strings.TrimSpace(run(t, nil, "go", "env", "GOMODCACHE")), "cache", "download")
	dir := t.TempDir()
	run(t, []string{"GOMODCACHE=" + dir + "/modules", "GOPROXY=file://" + cache, "GOFLAGS=-modcacherw"}, "go", "list", "-deps", "./cmd/tops")
	run(t, nil, "tar", "-cf", dir+"/go.tar", "--exclude=testdata", "--exclude=*_test.go", "--exclude=./src/cmd",
		"--transform", `s,^\./,./usr/local/go/,;s,^download,./modules,`,
		"-C", dir+"/modules/cache", "download", "-C", goroot, "./bin", "./src", "./pkg", "./lib", "./go.env", "./VERSION")
	run(t, nil, "tar", "-Af", tar, dir+"/go.tar")
}

// removeImages removes what was built, the base images with it.
func removeImages(t *testing.T) {
	for range 5 { // those that others are built on go later
		ids := strings.Fields(run(t, nil, "docker", "image", "ls", "-aq", "--no-trunc", "--filter", "label="+label))
		if len(ids) == 0 {
			return
		}
		_ = exec.Command("docker", append([]string{"image", "rm", "-f"}, ids...)...).Run()
	}
	t.Errorf("images are left: %s", run(t, nil, "docker", "image", "ls", "-a", "--filter", "label="+label))
}

// run runs a command at the root of the repository and returns what it printed.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	// Not the test's context: at its end there is much to remove.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
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
