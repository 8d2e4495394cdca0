package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/el-tor/tops/policies"
)

// check finds what no single value shows: everything that is wrong, joined.
func (c *Config) check() error {
	var wrong []error
	if c.DataDir == "" {
		wrong = append(wrong, errors.New("data_dir is empty: leave it out for the default"))
	}
	if (c.Client != nil || c.Relay != nil) && c.Lightning.RPC == "" {
		wrong = append(wrong, errors.New("lightning.rpc is missing: the path of Core Lightning's lightning-rpc socket"))
	}
	if c.Client != nil {
		wrong = append(wrong, c.Client.check())
	}
	if c.Relay != nil {
		wrong = append(wrong, c.Relay.check())
	}
	return errors.Join(wrong...)
}

func (c *Client) check() error {
	var wrong []error
	for _, fp := range append(append([]string(nil), c.Relays...), c.Guards...) {
		if len(fp) != 40 || strings.Trim(fp, "0123456789ABCDEF") != "" {
			wrong = append(wrong, fmt.Errorf("client: %q is not a relay fingerprint: 40 upper-case hex digits", fp))
		}
	}
	if c.AtCap != string(policies.Refuse) && c.AtCap != string(policies.Free) {
		wrong = append(wrong, fmt.Errorf("client.at_cap is %q: use %q or %q", c.AtCap, policies.Refuse, policies.Free))
	}
	if c.SpareCircuits < 0 || c.SpareCircuits > 16 {
		wrong = append(wrong, fmt.Errorf("client.spare_circuits is %d: use 0 to 16, since each is one more circuit on the network", c.SpareCircuits))
	}
	if half := time.Duration(c.ExperienceHalfLife); half < time.Hour || half > 365*24*time.Hour {
		wrong = append(wrong, fmt.Errorf("client.experience_half_life is %s: use 1h to 8760h", half))
	}
	return errors.Join(wrong...)
}

func (r *Relay) check() error {
	var wrong []error
	if (r.LightningAddress == "") != (r.LNURLListen == "") {
		wrong = append(wrong, errors.New("relay.lightning_address and relay.lnurl_listen need each other"))
	}
	if r.AskFee && r.FeeMsat == 0 {
		wrong = append(wrong, errors.New("relay.ask_fee is set, but relay.fee_msat is 0: say how much"))
	}
	return errors.Join(wrong...)
}
