package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
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
	if c.Books != "" && !strings.HasPrefix(c.Books, "postgres://") && !strings.HasPrefix(c.Books, "postgresql://") {
		wrong = append(wrong, fmt.Errorf("books: %q is no URL such as postgres://user@host/database; leave it out for a file in data_dir", MaskURL(c.Books)))
	}
	if (c.Client != nil || c.Relay != nil) && c.Lightning.RPC == "" {
		wrong = append(wrong, errors.New("lightning.rpc is missing: the path of Core Lightning's lightning-rpc socket"))
	}
	wrong = append(wrong, c.Web.check())
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
	if !(c.Thrift >= 0 && c.Thrift <= 8) {
		wrong = append(wrong, fmt.Errorf("client.thrift is %v: use 0, if the price does not matter, to 8", c.Thrift))
	}
	if half := time.Duration(c.ExperienceHalfLife); half < time.Hour || half > 365*24*time.Hour {
		wrong = append(wrong, fmt.Errorf("client.experience_half_life is %s: use 1h to 8760h", half))
	}
	wrong = append(wrong, checkRetention("client", c.Retention))
	return errors.Join(wrong...)
}

// checkRetention keeps the books from forgetting what an engine may still ask for.
func checkRetention(table string, d Duration) error {
	if d != 0 && time.Duration(d) < 24*time.Hour {
		return fmt.Errorf("%s.retention is %s: use 24h or more, or 0s to keep everything", table, time.Duration(d))
	}
	return nil
}

func (r *Relay) check() error {
	wrong := []error{checkRetention("relay", r.Retention)}
	if _, err := r.NameServers(); err != nil {
		wrong = append(wrong, err)
	}
	if r.MaxFree < 0 || r.MaxNewcomers < 0 {
		wrong = append(wrong, errors.New("relay.max_free and relay.max_newcomers cannot be negative: 0 asks every newcomer for money"))
	}
	if r.UplinkBytes < 0 || r.UplinkBytes > 0 && r.UplinkBytes < 16<<10 {
		wrong = append(wrong, fmt.Errorf("relay.uplink_bytes is %d: use 16384 bytes a second or more, or 0 for no limit", r.UplinkBytes))
	}
	if r.PayStreamConns < 1 || r.PayStreamRate < 1 || r.IdleTimeout < Duration(time.Second) {
		wrong = append(wrong, errors.New("relay.paystream_connections and relay.paystream_rate have to be 1 or more, relay.idle_timeout 1s or more"))
	}
	if r.BIP353 != "" && r.LightningAddress != "" {
		wrong = append(wrong, errors.New("relay.bip353 and relay.lightning_address: a relay publishes one of them"))
	}
	if (r.LightningAddress == "") != (r.LNURLListen == "") {
		wrong = append(wrong, errors.New("relay.lightning_address and relay.lnurl_listen need each other"))
	}
	for _, f := range r.FrontingNodes {
		if key, err := hex.DecodeString(f); err != nil || len(key) != 33 || f != strings.ToLower(f) {
			wrong = append(wrong, fmt.Errorf("relay.fronting_nodes: %q is not a node's public key: 66 lower-case hex digits", f))
		}
	}
	if r.AskFee && r.FeeMsat == 0 {
		wrong = append(wrong, errors.New("relay.ask_fee is set, but relay.fee_msat is 0: say how much"))
	}
	return errors.Join(wrong...)
}

// NameServers are the addresses of relay.resolver; port 53 if none is said.
func (r *Relay) NameServers() (list []netip.AddrPort, err error) {
	for _, s := range r.Resolver {
		at, err := netip.ParseAddrPort(s)
		if a, aerr := netip.ParseAddr(s); aerr == nil {
			at, err = netip.AddrPortFrom(a, 53), nil
		}
		if err != nil || at.Port() == 0 {
			return nil, fmt.Errorf("relay.resolver: %q is not the address of a name server, such as 127.0.0.1 or 127.0.0.1:53", s)
		}
		list = append(list, at)
	}
	return list, nil
}

func (w *Web) check() error {
	host, _, err := net.SplitHostPort(w.Listen)
	switch {
	case w.Listen == "", strings.HasPrefix(w.Listen, "unix:"):
		return nil
	case err != nil:
		return fmt.Errorf("web.listen is %q: use host:port, unix:PATH, or nothing for no page", w.Listen)
	}
	if ip, err := netip.ParseAddr(host); !w.AllowRemote && host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("web.listen is %q, which other machines may reach, and the page has no password: "+
			"use 127.0.0.1 and ssh -L, or set web.allow_remote and web.hosts", w.Listen)
	}
	return nil
}
