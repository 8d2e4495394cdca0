package eltorsim

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// info is GETINFO.
func (t *Tor) info(keys []string) string {
	var b []byte
	for _, key := range keys {
		value, ok := t.value(key)
		switch {
		case !ok:
			return fmt.Sprintf("552 Unrecognized key \"%s\"\r\n", key)
		case strings.Contains(value, "\n"):
			b = controlspec.AppendLine(b, 250, '+', key+"=")
			b = controlspec.AppendData(b, value)
		default:
			b = controlspec.AppendLine(b, 250, '-', key+"="+value)
		}
	}
	return string(b) + "250 OK\r\n"
}

const events = "CIRC CIRC_MINOR STREAM ORCONN BW DEBUG INFO NOTICE WARN ERR NEWDESC ADDRMAP DESCCHANGED NS STATUS_GENERAL STATUS_CLIENT STATUS_SERVER " +
	"GUARD STREAM_BW CLIENTS_SEEN NEWCONSENSUS BUILDTIMEOUT_SET GOT_SIGNAL CONF_CHANGED CONN_BW CELL_STATS CIRC_BW TRANSPORT_LAUNCHED HS_DESC HS_DESC_CONTENT NETWORK_LIVENESS PAYMENT_ID_HASH_RECEIVED"

func (t *Tor) value(key string) (string, bool) {
	switch key {
	case "version":
		return "0.4.9.0-alpha-dev", true
	case "events/names":
		return events, true
	case "fingerprint":
		return t.Fingerprint, t.Fingerprint != ""
	case "address":
		return t.ip, true
	case "status/circuit-established":
		return "1", true
	case "net/listeners/socks":
		return `"127.0.0.1:9"`, true
	case "stream-status":
		return "", true
	case "circuit-status":
		var lines []string
		for _, c := range t.circuits {
			word := "EXTENDED"
			if c.built {
				word = "BUILT"
			}
			if !c.closed {
				lines = append(lines, c.status(word, ""))
			}
		}
		return strings.Join(lines, "\n"), true
	case "entry-guards":
		var lines []string
		for _, r := range t.world.relays {
			lines = append(lines, "$"+r.Fingerprint+"~"+r.Name+" up")
		}
		return strings.Join(lines, "\n"), true
	case "ns/all":
		var all string
		for _, r := range t.world.relays {
			if !r.unknown {
				all += r.router()
			}
		}
		return all, true
	}
	what, fp, _ := cutLast(key)
	relay := t.world.relayLocked(fp)
	switch {
	case what == "ns/id" && relay != nil:
		return relay.router(), true
	case what == "md/id" && relay != nil && !relay.noDesc:
		return "onion-key\nid ed25519 x\n", true
	case what == "desc/id" && relay != nil && !relay.noDesc:
		return relay.descriptor(), true
	}
	return "", false
}

func cutLast(key string) (before, after string, ok bool) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return key, "", false
	}
	return key[:i], key[i+1:], true
}

// router is the entry of a relay in the consensus.
func (t *Tor) router() string {
	id, _ := hex.DecodeString(t.Fingerprint)
	b64 := base64.RawStdEncoding.EncodeToString(id)
	return fmt.Sprintf("r %s %s %s 2026-01-01 00:00:00 %s 9001 0\ns %s\n", t.Name, b64, b64, t.ip, t.flags)
}

// descriptor is its server descriptor: what was set before it was published last
// by a changed ContactInfo.
func (t *Tor) descriptor() string {
	lines := append([]string{"router " + t.Name + " " + t.ip + " 9001 0 0"}, t.lines...)
	return strings.Join(append(lines, "ntor-onion-key x"), "\n") + "\n"
}
