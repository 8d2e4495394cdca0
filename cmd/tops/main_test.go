package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
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
	testscript.Run(t, testscript.Params{Dir: "testdata", Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "code": code}})
}

// code runs a command and wants an exit code.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	got := 0
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("%v ended with %d, want %s", args[1:], got, args[0])
	}
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
