package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by the linker for a released build.
var release = ""

func version() string {
	if release != "" {
		return release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "0.1.0-dev"
}

type versionCmd struct {
	JSON bool `help:"Print as JSON."`
}

func (c *versionCmd) Run(e *env) error {
	if c.JSON {
		return json.NewEncoder(e.stdout).Encode(map[string]string{"version": version(), "go": runtime.Version()})
	}
	_, err := fmt.Fprintf(e.stdout, "tops %s (%s)\n", version(), runtime.Version())
	return err
}
