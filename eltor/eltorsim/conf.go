package eltorsim

import (
	"slices"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// published are the options that go into the descriptor, where they are set.
var published = []string{
	"PaymentBolt12Offer", "PaymentBip353", "PaymentBolt11Lnurl", "PaymentBolt11LightningAddress",
	"PaymentRateMsats", "PaymentInterval", "PaymentInvervalRounds", "PaymentHandshakeFee", "PaymentBandwidthQuota",
}

// known are the other options that anybody asks for.
var known = []string{
	"PaymentCircuitMaxFee", "PaymentLightningNodeConfig", "ContactInfo", "UseMicrodescriptors", "FetchUselessDescriptors", "ExitPolicy",
	"ExitRelay", "ReducedExitPolicy", "IPv6Exit", "OutboundBindAddress", "OutboundBindAddressExit", "OutboundBindAddressOR",
	"OutboundBindAddressPT", "__LeaveStreamsUnattached", "Nickname",
}

func properName(key string) (string, bool) {
	for _, k := range slices.Concat(published, known) {
		if strings.EqualFold(k, key) {
			return k, true
		}
	}
	return "", false
}

// getConf is GETCONF.
func (t *Tor) getConf(keys []string) string {
	var rep controlspec.Reply
	for _, key := range keys {
		name, ok := properName(key)
		if !ok {
			return "552 Unrecognized configuration key \"" + key + "\"\r\n"
		}
		values := t.conf[strings.ToLower(key)]
		if len(values) == 0 {
			rep.Lines = append(rep.Lines, controlspec.ReplyLine{Code: 250, Sep: '-', Text: name})
		}
		for _, v := range values {
			rep.Lines = append(rep.Lines, controlspec.ReplyLine{Code: 250, Sep: '-', Text: name + "=" + v})
		}
	}
	if len(rep.Lines) == 0 {
		return "250 OK\r\n"
	}
	rep.Lines[len(rep.Lines)-1].Sep = ' '
	return string(rep.Append(nil))
}

// setConf is SETCONF. The descriptor is made anew when ContactInfo changes; what
// was set of the payments before goes with it then, and not sooner.
func (t *Tor) setConf(args string) string {
	list, err := controlspec.ParseArgs(args)
	if err != nil {
		return "513 Unacceptable option value\r\n"
	}
	set := make(map[string][]string)
	var names []string
	for _, a := range list {
		key := a.Key
		if !a.HasKey {
			key = a.Value
		}
		name, ok := properName(key)
		if !ok {
			return "552 Unrecognized option: Unknown option '" + key + "'.  Failing.\r\n"
		}
		lower := strings.ToLower(name)
		if _, seen := set[lower]; !seen {
			set[lower] = nil
			names = append(names, name)
		}
		if a.HasKey && a.Value != "" {
			set[lower] = append(set[lower], a.Value)
		}
	}
	contact := strings.Join(t.conf["contactinfo"], "")
	for k, v := range set {
		t.conf[k] = v
	}
	if strings.Join(t.conf["contactinfo"], "") != contact {
		t.publish()
	}
	var changed []string
	for _, n := range names {
		for _, v := range set[strings.ToLower(n)] {
			changed = append(changed, "650-"+n+"="+v)
		}
	}
	t.tellLocked("CONF_CHANGED", strings.Join(append([]string{"650-CONF_CHANGED"}, append(changed, "650 OK")...), "\r\n"))
	return "250 OK\r\n"
}

func (t *Tor) publish() {
	t.lines = nil
	for _, name := range published {
		for _, v := range t.conf[strings.ToLower(name)] {
			if v != "0" {
				t.lines = append(t.lines, name+" "+v)
			}
		}
	}
}
