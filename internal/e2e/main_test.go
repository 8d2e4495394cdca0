package e2e_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/el-tor/tops/internal/testnet"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
