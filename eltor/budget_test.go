package eltor_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/eltor/eltorsim"
)

// TestCircuitsOfBefore: what was spent on a circuit does not count against another that
// has its number, once tor and tops were started anew.
func TestCircuitsOfBefore(t *testing.T) {
	t.Parallel()
	w := &feeWorld{world: newWorld(t)}
	w.guard, w.exit = w.world.relay(t, "guard", eltorsim.B), w.world.relay(t, "exit", eltorsim.B)
	w.run(t, "relay", w.exit, w.world.node(t, "payee"), short+"rounds = 2\n")
	serving(t, w.exit)
	w.node, w.socket = w.world.node(t, "payer"), filepath.Join(w.dir, "control")
	for range 2 {
		w.client = w.run(t, "client", w.world.client(t, eltorsim.B), w.node, strings.Replace(w.roles(), "[proxy]", "max_circuit_msat = 3000\n[proxy]", 1))
		id := w.build(t, w.guard, w.exit)
		if id != "1" {
			t.Fatalf("a fresh tor counts from %s", id)
		}
		until(t, "both rounds to be paid", 20*time.Second, func() bool {
			s := w.of(t, id)
			if s.PaidMsat < 2000 && s.Reason != "" {
				t.Fatalf("it ended: %+v", s)
			}
			return s.PaidMsat == 2000
		})
		w.client.stop()
	}
}
