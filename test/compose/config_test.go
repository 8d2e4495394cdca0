//go:build world

package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// settings are what the files for mainnet ask of their user; world_test.go reads
// client.example.toml and relay.example.toml.
var settings = []string{"LIGHTNING_DIR=/nowhere/bitcoin", "LIGHTNING_GID=10002", "TOR_GID=10003"}

// TestConfig has every compose file read by each Compose that is here.
func TestConfig(t *testing.T) {
	files := map[string][]string{
		"world":            {"-f", "docker-compose.yml"},
		"world, simulator": {"-f", "docker-compose.yml", "-f", "docker-compose.sim.yml"},
		"relay":            {"-f", "compose/relay.yml"},
		"relay with tor":   {"-f", "compose/relay.yml", "--profile", "tor"},
		"client":           {"-f", "compose/client.yml"},
		"client with tor":  {"-f", "compose/client.yml", "--profile", "tor"},
	}
	composers := [][]string{{"docker-compose"}}
	v2 := []string{"docker", "compose"}
	if file := os.Getenv("COMPOSE_V2"); file != "" { // a docker-compose of version 2, where it is no plugin of docker's
		v2 = []string{file}
	}
	if exec.CommandContext(t.Context(), v2[0], append(v2[1:], "version")...).Run() == nil {
		composers = append(composers, v2)
	} else {
		t.Log("left out: Compose v2, it is not installed here and COMPOSE_V2 names none")
	}
	for _, c := range composers {
		t.Log(strings.Join(c, " "), "is", strings.TrimSpace(run(t, nil, c[0], append(c[1:], "version", "--short")...)))
		for name, args := range files {
			t.Run(filepath.Base(strings.Join(c, " "))+", "+name, func(t *testing.T) {
				run(t, settings, c[0], append(append(c[1:], args...), "config", "-q")...)
			})
		}
	}
}

// TestAsks wants what cannot be guessed to be asked for, in words that help.
func TestAsks(t *testing.T) {
	for _, file := range []string{"compose/relay.yml", "compose/client.yml"} {
		cmd := exec.CommandContext(t.Context(), "docker-compose", "-f", file, "config", "-q")
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "lightning-rpc") {
			t.Errorf("%s without settings: %v, %s; want it to ask for them", file, err, out)
		}
	}
}
