package regtest_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/regtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if left := regtest.Missing(); left != "" {
		fmt.Fprintln(os.Stderr, left)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func TestStart(t *testing.T) {
	n := regtest.Start(t, regtest.Options{})
	c := cln.NewClient(n.Payer.RPC)
	defer c.Close()
	h, err := c.Health(t.Context())
	if err != nil || h.Channels != 1 || h.SpendableMsat < 1_000_000_000 || h.Exposed {
		t.Errorf("the payer's health: %+v, %v", h, err)
	}
	t.Logf("lightningd %s", n.Version)
}
