package guard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/el-tor/tops/internal/statefile"
	"github.com/el-tor/tops/internal/tor"
	"golang.org/x/sys/unix"
)

// Ward is what a guardian looks after.
type Ward struct {
	Tor       tor.Options
	StateFile string // of the options that have to be put back
}

// putBackFor bounds how long the guardian tries: a tor that is away will forget
// the options by itself.
const putBackFor = 10 * time.Second

// Watch waits until the parent ends: in is a pipe that only the parent can write
// to, out is where the guardian says that it is ready. If the parent went without
// a word, it puts tor back.
func Watch(in io.Reader, out io.Writer, w Ward) error {
	// Whoever ends the parent by a signal to both must not end the guardian first.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	lock, err := os.OpenFile(w.StateFile+".guard", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %q: %w", lock.Name(), err)
	}
	if _, err := io.WriteString(out, ready); err != nil {
		return err
	}
	said, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if string(said) == done {
		return nil
	}
	return w.putBack()
}

// putBack restores the options, gives every waiting stream to tor, and takes the
// names of gateways back.
func (w Ward) putBack() error {
	ctx, cancel := context.WithTimeout(context.Background(), putBackFor)
	defer cancel()
	var saved tor.SettingsState
	if err := statefile.Load(w.StateFile, &saved); err != nil {
		return err
	}
	settings := tor.NewSettings(saved, func(s tor.SettingsState) error { return statefile.Save(w.StateFile, s) }, nil)
	c, err := tor.Start(ctx, tor.Config{Options: w.Tor, Handlers: []tor.Handler{settings}})
	if errors.Is(err, tor.ErrUnreachable) && len(saved.Options) == 0 {
		return nil // it never was told anything
	}
	if err != nil {
		return fmt.Errorf("put tor back: %w", err)
	}
	// Streams that another controller wants left are its own to attach.
	others := slices.Equal(settings.Base(tor.LeaveStreamsUnattached), []string{"1"})
	err = settings.Restore(ctx)
	if !others {
		err = errors.Join(err, c.ReleaseStreams(ctx))
	}
	return errors.Join(err, c.UnmapGateways(ctx), c.Close())
}
