package testnet

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/cretz/bine/process"
)

type role int

const (
	authorityRole role = iota
	relay
	exit
	client
)

// bootstrap is how far, in percent, a node must be to be up. A relay serves
// others when it knows the consensus (an exit refuses what does not come from
// a relay that it knows); its own first circuit, which is its 100 %, can be
// ten seconds away by an unlucky retry.
func (r role) bootstrap() int {
	if r == relay || r == exit {
		return 75
	}
	return 100
}

// stopWait is how long a tor may take to end after SIGTERM.
const stopWait = 10 * time.Second

// A Node is one tor of the network. Its methods may be called from any
// goroutine; its fields do not change.
type Node struct {
	Name          string     // nickname, unique in the network
	Fingerprint   string     // of a relay: 40 upper-case hex digits
	Addr          netip.Addr // of a relay
	SocksAddr     string     // of a client: host:port
	ControlSocket string     // path of the unix control socket; cookie authentication
	Dir           string     // DataDirectory
	LogPath       string     // tor's log, kept over restarts

	role      role
	tor       string
	bootstrap int // how far, in percent, it must be to be up
	progress  func(string)

	mu  sync.Mutex // guards run
	run *run
}

// A run is one life of a node's process.
type run struct {
	cmd    *exec.Cmd
	log    *logTail
	exited chan struct{} // closed when the process has ended
	err    error         // how; read after exited
}

// startLocked begins a new life. The caller holds n.mu.
func (n *Node) startLocked(ctx context.Context) error {
	if n.run != nil {
		return fmt.Errorf("testnet: %s runs already", n.Name)
	}
	log, err := newLogTail(n.LogPath, n.bootstrap, n.progress)
	if err != nil {
		return fmt.Errorf("testnet: %s: %w", n.Name, err)
	}
	r := &run{log: log, exited: make(chan struct{})}
	creator := process.CmdCreatorFunc(func(_ context.Context, args ...string) (*exec.Cmd, error) {
		// Not CommandContext: a context here bounds the start, not the life.
		r.cmd = exec.Command(n.tor, args...)
		r.cmd.Stdout, r.cmd.Stderr = log, log
		r.cmd.Dir = n.Dir // what it writes by relative names stays there
		r.cmd.SysProcAttr = childAttr()
		return r.cmd, nil
	})
	proc, err := creator.New(ctx, "-f", filepath.Join(n.Dir, "torrc"), "--defaults-torrc", os.DevNull,
		"__OwningControllerProcess", strconv.Itoa(os.Getpid()))
	if err != nil {
		return errors.Join(fmt.Errorf("testnet: %s: %w", n.Name, err), log.Close())
	}
	started := make(chan error, 1)
	go func() {
		// The thread must outlive the child: see childAttr.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(r.exited)
		defer log.Close()
		err := proc.Start()
		started <- err
		if err == nil {
			r.err = proc.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("testnet: %s: %w", n.Name, err)
	}
	n.run = r
	return nil
}

// up waits until the present life has bootstrapped as far as it must.
func (n *Node) up(ctx context.Context) error {
	r := n.life()
	if r == nil {
		return fmt.Errorf("testnet: %s is not running", n.Name)
	}
	select {
	case <-r.log.reached:
		return nil
	case <-r.exited:
		return fmt.Errorf("testnet: %s ended while it started: %w; its last words:%s", n.Name, r.err, r.log.tail())
	case <-ctx.Done():
		return fmt.Errorf("testnet: %s did not come up: %w; its last words:%s", n.Name, context.Cause(ctx), r.log.tail())
	}
}

func (n *Node) life() *run {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.run
}

// Pid is the process id, 0 when the node is not running.
func (n *Node) Pid() int {
	if r := n.life(); r != nil {
		return r.cmd.Process.Pid
	}
	return 0
}

// Start begins a stopped or killed node again, with the configuration and the
// data that it had, and waits: for a relay to know the network, for a client to
// be bootstrapped.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	err := n.startLocked(ctx)
	n.mu.Unlock()
	if err != nil {
		return err
	}
	return n.up(ctx)
}

// Restart is Stop, then Start.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Stop(); err != nil {
		return err
	}
	return n.Start(ctx)
}

// Stop ends the node as an operator would (SIGTERM) and waits. A node that is
// not running is no error.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

// Kill ends the node as a crash would (SIGKILL) and waits.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Reload sends SIGHUP: tor reads its configuration file again and forgets
// every option that was set through the control port.
func (n *Node) Reload() error {
	r := n.life()
	if r == nil {
		return fmt.Errorf("testnet: %s is not running", n.Name)
	}
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("testnet: reloading %s: %w", n.Name, err)
	}
	return nil
}

func (n *Node) end(sig syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.run
	if r == nil {
		return nil
	}
	if err := r.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("testnet: ending %s: %w", n.Name, err)
	}
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-r.exited:
	case <-timer.C:
		r.cmd.Process.Kill()
		<-r.exited
	}
	n.run = nil
	return nil
}
