package main

import (
	_ "github.com/BurntSushi/toml"
	_ "github.com/alecthomas/kong"
	_ "github.com/coreos/go-systemd/v22/daemon"
	_ "github.com/creachadair/jrpc2"
	_ "github.com/cretz/bine/process"
	_ "github.com/elementsproject/glightning/glightning"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/rs/zerolog"
	_ "github.com/santhosh-tekuri/jsonschema/v6"
	_ "go.uber.org/goleak"
	_ "golang.org/x/net/proxy"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/time/rate"
	_ "modernc.org/sqlite"
	_ "pgregory.net/rapid"
	_ "github.com/btcsuite/btcd/btcec/v2"
	_ "go.yaml.in/yaml/v3"
)

func main() {}
