package killtest_test

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// proc is a process of this test binary in one of its roles. It ends with us.
type proc struct {
	t    *testing.T
	role string
	env  []string
	log  string
	cmd  *exec.Cmd
	done chan error
}

func newProc(t *testing.T, role, log string, env ...string) *proc {
	p := &proc{t: t, role: role, log: log, env: append(env, envRole+"="+role)}
	t.Cleanup(func() {
		if p.cmd != nil {
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
	return p
}

// start runs it, with more variables for its environment.
func (p *proc) start(env ...string) {
	p.t.Helper()
	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd, p.done = exec.Command("/proc/self/exe"), make(chan error, 1)
	p.cmd.Env = append(append(os.Environ(), p.env...), env...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func(cmd *exec.Cmd, done chan<- error) {
		// The signal at our death follows the thread that forked, not the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer f.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			done <- cmd.Wait()
		}
	}(p.cmd, p.done)
	if err := <-started; err != nil {
		p.cmd = nil
		p.t.Fatal(err)
	}
}

// kill ends it as a crash would. It must have lived until then.
func (p *proc) kill() {
	p.t.Helper()
	select {
	case err := <-p.done:
		p.cmd = nil
		p.t.Fatalf("the %s ended by itself: %v", p.role, err)
	default:
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	p.cmd = nil
}

// stop ends it as its operator would.
func (p *proc) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.done:
		if err != nil {
			p.t.Errorf("the %s: %v", p.role, err)
		}
		p.cmd = nil
	case <-time.After(40 * time.Second):
		p.t.Errorf("the %s does not end", p.role)
		p.kill()
	}
}
