package guard

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

const (
	ready = "ready\n" // the guardian has the lock
	done  = "done\n"  // the parent has put tor back itself
)

// Guardian is a running guardian, as its parent holds it.
type Guardian struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

// Start runs a guardian: args is the command line of a process that calls Watch.
// It returns when the guardian is ready, which takes as long as the one before
// needs to finish.
func Start(ctx context.Context, args []string) (*Guardian, error) {
	g := &Guardian{cmd: exec.Command(args[0], args[1:]...)}
	g.cmd.Args[0] = os.Args[0]
	g.cmd.Stderr = os.Stderr
	// A group of its own: what ends the parent from a terminal must not end it.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if g.pipe, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guardian: %w", err)
	}
	said := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err == nil && line != ready {
			err = fmt.Errorf("it said %q", line)
		}
		said <- err
	}()
	select {
	case err = <-said:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		_ = g.cmd.Process.Kill()
		_ = g.cmd.Wait()
		return nil, fmt.Errorf("the guardian is not ready: %w", err)
	}
	return g, nil
}

// Release ends the guardian: tor is as it should be.
func (g *Guardian) Release() error {
	_, err := io.WriteString(g.pipe, done)
	return errors.Join(err, g.pipe.Close(), g.cmd.Wait())
}

// Abandon leaves it to the guardian to put tor back, and waits until it has.
func (g *Guardian) Abandon() error {
	return errors.Join(g.pipe.Close(), g.cmd.Wait())
}
