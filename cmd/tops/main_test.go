package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tops": func() { os.Exit(run(os.Args[1:])) },
	})
}

// TestScripts runs tops as a user would. testdata/demo.txt plays the whole
// demonstration, on a real Tor network.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}
