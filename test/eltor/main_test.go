//go:build eltor

package eltor_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/testnet"
)

func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// eachDialect runs a test on a network of each dialect that there is a tor of.
func eachDialect(t *testing.T, o testnet.Options, test func(t *testing.T, dialect string, net *testnet.Network)) {
	for _, dialect := range []string{"A", "B"} {
		if o.Tor = os.Getenv("ELTOR_" + dialect); o.Tor == "" {
			fmt.Printf("left out: %s on dialect %s, since ELTOR_%[2]s names no tor\n", t.Name(), dialect)
			continue
		}
		// The rest of the bootstrap is a tor's first paid circuit.
		o.Bootstrapped = 75
		if dir := os.Getenv("ELTOR_DIR"); dir != "" {
			o.Dir = filepath.Join(dir, t.Name()+dialect)
		}
		t.Run(dialect, func(t *testing.T) {
			net, err := testnet.Start(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer net.Close()
			test(t, dialect, net)
		})
	}
}

// torrc is what the fork's nodes have beside the usual: terms of two seconds, and
// clients that see them.
func torrc(name string) string {
	switch {
	case strings.HasPrefix(name, "client"):
		return "FetchUselessDescriptors 1\n"
	case strings.HasPrefix(name, "relay"):
		return "PaymentBolt12Offer lno1" + name + `
PaymentRateMsats 1000
PaymentInterval 2
PaymentInvervalRounds 10
`
	}
	return ""
}
