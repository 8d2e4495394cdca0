package main

import (
	"context"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifyReady tells the service manager, if one listens (sd_notify(3)), that
// everything works, and from then on, at half the interval of its watchdog, that
// it still does: as long as alive says so within that time.
func notifyReady(e *env, alive func(context.Context) error) {
	tell := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			e.log.Warn().Err(err).Msg("service manager")
		}
	}
	tell(daemon.SdNotifyReady)
	context.AfterFunc(e.ctx, func() { tell(daemon.SdNotifyStopping) })
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	go func() {
		tick := time.NewTicker(interval / 2)
		defer tick.Stop()
		for {
			select {
			case <-e.ctx.Done():
				return
			case <-tick.C:
			}
			ctx, cancel := context.WithTimeout(e.ctx, interval/2)
			err := alive(ctx)
			cancel()
			if err == nil {
				tell(daemon.SdNotifyWatchdog)
			} else if e.ctx.Err() == nil {
				e.log.Error().Err(err).Msg("the watchdog is not told that tops lives")
			}
		}
	}()
}
