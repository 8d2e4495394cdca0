//go:build world

package e2e_test

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// bridges has tor use a bridge, and paid circuits enter by it, whatever other guards tor
// knows.
func (w *apps) bridges(t *testing.T) {
	bridge, c := w.net.Relays[4], w.controller(t)
	t.Cleanup(func() { c.Do(context.Background(), "RESETCONF UseBridges Bridge") })
	c.ok(t, fmt.Sprintf("SETCONF UseBridges=1 Bridge=\"%s:5000 %s\"", bridge.Addr, bridge.Fingerprint))
	var last error
	until(t, "the bridge to be the entry", 30*time.Second, func() bool {
		got, err := w.client.app.Pay(t.Context(), nil)
		if last = err; err != nil {
			return false
		}
		made := got.(map[string]any)
		c.closeCircuit(made["circuit"].(string))
		last = fmt.Errorf("path %v", made["path"])
		return made["path"].([]string)[0] == bridge.Fingerprint
	}, func() string { return last.Error() })
	until(t, "a file to come by it", 20*time.Second, func() bool {
		last = fetch(t.Context(), "bridge", 1000)
		return last == nil
	}, func() string { return last.Error() })
}
