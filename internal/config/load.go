package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
)

// Load reads a configuration file and fills in the defaults.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads the text of a configuration.
func Parse(text string) (*Config, error) {
	// The tables that are there decide about the roles, so look before defaults
	// are filled in.
	var tables map[string]any
	if _, err := toml.Decode(text, &tables); err != nil {
		return nil, err
	}
	c := &Config{Tor: Tor{Control: "unix:/run/tor/control"}}
	if _, ok := tables["client"]; ok {
		c.Client = defaultClient()
	}
	if _, ok := tables["relay"]; ok {
		c.Relay = defaultRelay()
	}
	meta, err := toml.Decode(text, c)
	if err != nil {
		return nil, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("unknown key %q", unknown[0].String())
	}
	if c.DataDir == "" {
		c.DataDir = defaultDataDir()
	}
	return c, c.check()
}

func (c *Config) check() error {
	if (c.Client != nil || c.Relay != nil) && c.Lightning.RPC == "" {
		return errors.New("lightning.rpc is missing: the path of Core Lightning's lightning-rpc socket")
	}
	if c.Client != nil {
		for _, fp := range append(append([]string(nil), c.Client.Relays...), c.Client.Guards...) {
			if len(fp) != 40 || strings.Trim(fp, "0123456789ABCDEF") != "" {
				return fmt.Errorf("client: %q is not a relay fingerprint: 40 upper-case hex digits", fp)
			}
		}
	}
	if r := c.Relay; r != nil && (r.LightningAddress == "") != (r.LNURLListen == "") {
		return errors.New("relay.lightning_address and relay.lnurl_listen need each other")
	}
	if r := c.Relay; r != nil && r.AskFee && r.FeeMsat == 0 {
		return errors.New("relay.ask_fee is set, but relay.fee_msat is 0: say how much")
	}
	return nil
}

func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/tops"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "tops-data"
	}
	return filepath.Join(home, ".local", "share", "tops")
}
