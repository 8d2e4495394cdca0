package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
	"github.com/rogpeppe/go-internal/testscript"
)

// networkEnv has a test that needs a Tor network run in a namespace for it, beside
// the others: see TestRelay.
const networkEnv = "TOPS_TEST_NETWORK"

func TestMain(m *testing.M) {
	if os.Getenv(networkEnv) != "" {
		if err := testnet.Enter(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	testscript.Main(m, map[string]func(){
		"tops":       func() { os.Exit(run(os.Args[1:])) },
		"writebooks": writeBooks,
	})
}

// TestScripts runs tops as a user would. testdata/demo.txt plays the whole
// demonstration, on a real Tor network.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await}})
}

// await waits until a file is there.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		} else if time.Now().After(end) {
			ts.Fatalf("await: %v", err)
		}
	}
}
