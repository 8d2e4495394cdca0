package app

import (
	"context"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/config"
)

// WaitForNode waits until the Lightning node answers: lightningd starts its
// plugins before it listens.
func WaitForNode(ctx context.Context, cfg *config.Config) error {
	node := cln.NewClient(cfg.Lightning.RPC)
	defer node.Close()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ask, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := node.GetInfo(ask)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
