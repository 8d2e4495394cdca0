package plugin_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/el-tor/tops/internal/regtest"
	"github.com/el-tor/tops/internal/testnet"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if left := regtest.Missing(); left != "" {
		fmt.Fprintln(os.Stderr, left)
	}
	goleak.VerifyTestMain(m)
}
