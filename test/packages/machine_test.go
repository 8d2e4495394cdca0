//go:build world

package packages_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// included is what the root has besides what every Debian has.
const included = "systemd,systemd-sysv,dbus,tor,apparmor,iproute2"

// machine is a Debian in which systemd runs.
type machine struct {
	name string
	root string // where its files can be seen
}

// boot makes a Debian of Debian's packages and starts it. All of it is gone when
// the test has ended.
func boot(t *testing.T) *machine {
	t.Helper()
	tar := os.Getenv("TOPS_TEST_ROOT")
	if tar == "" {
		tar = filepath.Join(t.TempDir(), "root.tar")
		began := time.Now()
		run(t, "mmdebstrap", "--quiet", "--variant=minbase", "--include="+included, "bookworm", tar)
		t.Logf("the root was made in %v", time.Since(began).Round(time.Second))
	}
	m := &machine{name: fmt.Sprintf("tops-test-packages-%d", os.Getpid())}
	run(t, "docker", "import", tar, m.name)
	t.Cleanup(func() { clean(t, "docker", "rmi", "-f", m.name) })
	args := []string{"create", "--name", m.name, "--hostname", "debian", "--network", "none", "--cgroupns", "host",
		"--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "-e", "container=docker"}
	run(t, "docker", append(append(args, capabilities(t)...), m.name, "/lib/systemd/systemd")...)
	t.Cleanup(func() { clean(t, "docker", "rm", "-f", m.name) })
	run(t, "docker", "cp", "testdata/etc/.", m.name+":/etc")
	run(t, "docker", "start", m.name)
	m.root = "/proc/" + strings.TrimSpace(run(t, "docker", "inspect", "-f", "{{.State.Pid}}", m.name)) + "/root"
	until(t, "systemd to have started everything", 3*patience, func() bool {
		out, _ := exec.Command("docker", "exec", m.name, "systemctl", "is-system-running").Output()
		return strings.TrimSpace(string(out)) == "running"
	}, func() string {
		return m.try("systemctl list-units --failed --no-pager; systemctl list-jobs --no-pager")
	})
	return m
}

// capabilities are all that this process could give: the service manager wants
// them, and --privileged asks for more where some are withheld.
func capabilities(t *testing.T) (args []string) {
	for i, name := range strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
		NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
		SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP`) {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(i), 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if has == 1 && name != "SYS_MODULE" && name != "SYS_RAWIO" && name != "SYS_TIME" && name != "SYS_BOOT" {
			args = append(args, "--cap-add", name)
		}
	}
	return args
}

// sh runs a script in the machine and returns what it printed.
func (m *machine) sh(t *testing.T, script string) string {
	t.Helper()
	return run(t, "docker", "exec", m.name, "bash", "-euc", script)
}

// try is the same for what may fail: what it printed, or why not.
func (m *machine) try(script string) string {
	out, err := exec.Command("docker", "exec", m.name, "bash", "-uc", script).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s(%v)", out, err)
	}
	return string(out)
}

// write puts a file into the machine.
func (m *machine) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(m.root+path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(m.root+path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// control asks a control port of the machine, as a controller that may read tor's
// cookie.
func (m *machine) control(path string, commands ...string) (string, error) {
	cookie, err := os.ReadFile(m.root + "/run/tor/control.authcookie")
	if err != nil {
		return "", err
	}
	conn, err := net.DialTimeout("unix", m.root+path, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	all := append(append([]string{"AUTHENTICATE " + hex.EncodeToString(cookie)}, commands...), "QUIT")
	if _, err := fmt.Fprint(conn, strings.Join(all, "\r\n")+"\r\n"); err != nil {
		return "", err
	}
	var b strings.Builder
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
		if line == "250 closing connection" {
			return b.String(), nil
		}
		b.WriteString(line + "\n")
	}
	return b.String(), fmt.Errorf("the connection ended early")
}

// patience is how long something may take on a machine that has much to do.
const patience = time.Minute

const torControl = "/run/tor/control"

// options asks tor for what tops may set.
func (m *machine) options(t *testing.T) string {
	t.Helper()
	out, err := m.control(torControl, "GETCONF ContactInfo ExitPolicy ExitRelay ExitPolicyRejectPrivate ExitPolicyRejectLocalInterfaces "+
		"__LeaveStreamsUnattached FetchUselessDescriptors MaxCircuitDirtiness")
	if err != nil || !strings.Contains(out, "ContactInfo=") {
		t.Fatalf("options of tor: %q, %v", out, err)
	}
	return out
}

// show is a property of a unit.
func (m *machine) show(unit, property string) string {
	return strings.TrimSpace(m.try("systemctl show -P " + property + " " + unit))
}

// run runs a command and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, &stderr)
	}
	return string(out)
}

// clean runs a command when the test is over.
func clean(t *testing.T, name string, args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		t.Errorf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// until waits for a condition.
func until(t *testing.T, what string, wait time.Duration, ok func() bool, else_ func() string) {
	t.Helper()
	for end := time.Now().Add(wait); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s\n%s", wait, what, else_())
		}
	}
}
