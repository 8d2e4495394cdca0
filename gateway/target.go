package gateway

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// Target is where a tunnel is to go: an address, or else a name.
type Target struct {
	Addr netip.Addr // the zero Addr for a name
	Name string     // lower case, without a final dot
	Port uint16
}

// ParseTarget reads the host:port of a CONNECT. A host is an IPv4 address of
// four decimal numbers, an IPv6 address in brackets, or a name. What other
// programs would take for an address though it is none of these (0177.1,
// 0x7f000001, 2130706433) is an error: the name resolver of the system must not
// be asked what it means.
func ParseTarget(s string) (Target, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Target{}, malformed("the target is not host:port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
		return Target{}, malformed("the target's port")
	}
	t := Target{Port: uint16(n)}
	if strings.HasPrefix(s, "[") {
		if t.Addr, err = netip.ParseAddr(host); err != nil || !t.Addr.Is6() || t.Addr.Zone() != "" {
			return Target{}, malformed("the target's IPv6 address")
		}
		return t, nil
	}
	if t.Addr, err = netip.ParseAddr(host); err == nil {
		if !t.Addr.Is4() {
			return Target{}, malformed("an IPv6 address without brackets")
		}
		return t, nil
	}
	t.Name = strings.ToLower(strings.TrimSuffix(host, "."))
	if !isName(t.Name) {
		return Target{}, malformed("the target's name")
	}
	return t, nil
}

// String is the host:port that ParseTarget reads.
func (t Target) String() string {
	if t.Addr.IsValid() {
		return netip.AddrPortFrom(t.Addr, t.Port).String()
	}
	return net.JoinHostPort(t.Name, strconv.Itoa(int(t.Port)))
}

// isName reports whether s is a host name (RFC 1123 §2.1, and underscores, which
// are used), and its last label is no number: such names are addresses to some
// (the WHATWG URL standard's "ends in a number").
func isName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for _, l := range labels {
		if len(l) == 0 || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	hex, isHex := strings.CutPrefix(last, "0x")
	return strings.Trim(last, "0123456789") != "" && !(isHex && strings.Trim(hex, "0123456789abcdef") == "")
}

// ErrPolicy refuses a target: by the exit policy, or because nobody may reach
// it through a gateway. It says no more on purpose.
var ErrPolicy = errors.New("the exit policy does not allow this target")

// TargetCode says how a target could not be reached.
type TargetCode string

// The codes of a [TargetError].
const (
	TargetFailed      TargetCode = "failed"      // 502
	TargetRefused     TargetCode = "refused"     // 502: it refused the connection
	TargetUnreachable TargetCode = "unreachable" // 502: there is no way to it
	TargetUnknown     TargetCode = "unknown"     // 502: its name does not resolve
	TargetTimeout     TargetCode = "timeout"     // 504: it did not answer in time
)

// TargetError is a target that the gateway may, but could not, connect to.
type TargetError struct{ Code TargetCode }

func (e *TargetError) Error() string {
	switch e.Code {
	case TargetRefused:
		return "the target refused the connection"
	case TargetUnreachable:
		return "the target is unreachable"
	case TargetUnknown:
		return "the target's name does not resolve"
	case TargetTimeout:
		return "the target did not answer in time"
	default:
		return "the target could not be reached"
	}
}

func (e *TargetError) status() int {
	if e.Code == TargetTimeout {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// newTargetError reads a code off the wire; one that is not known is just a
// failure.
func newTargetError(code string) *TargetError {
	switch c := TargetCode(code); c {
	case TargetRefused, TargetUnreachable, TargetUnknown, TargetTimeout:
		return &TargetError{Code: c}
	}
	return &TargetError{Code: TargetFailed}
}
