package testnet

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Where nodes listen, on addresses of their own.
const (
	orPort  = 5000
	dirPort = 7000
)

// common is in every node's torrc. The two about circuit timeouts must be
// there from the start: without them circuits fail with TIMEOUT. The two that
// reject internal addresses take back what TestingTorNetwork relaxes. Without
// the tables of countries a tor starts in a fraction of the time.
const common = `TestingTorNetwork 1
ClientRejectInternalAddresses 1
ClientDNSRejectInternalAddresses 1
FetchDirInfoEarly 1
FetchDirInfoExtraEarly 1
LearnCircuitBuildTimeout 0
CircuitBuildTimeout 30
PathsNeededToBuildCircuits 0.67
TestingDirAuthVoteHSDir *
CookieAuthentication 1
AvoidDiskWrites 1
GeoIPFile /dev/null
GeoIPv6File /dev/null
SafeLogging 0
Log notice stdout
`

// relayOptions are those of every node that relays. Names are never asked of
// the machine's resolver, which the namespace cannot reach: a resolver on the
// namespace's own 127.0.0.1:53 would be.
const relayOptions = `Address %[1]s
OutboundBindAddress %[1]s
ORPort %[1]s:%[2]d
Nickname %[3]s
AssumeReachable 1
ExtendAllowPrivateAddresses 1
SocksPort 0
ServerDNSDetectHijacking 0
ServerDNSAllowBrokenConfig 1
ServerDNSResolvConfFile %[4]s
`

const noExit = `ExitRelay 0
ExitPolicy reject *:*
`

const ordinaryExit = `ExitRelay 1
ExitPolicy accept *:*
`

// authorityOptions make a directory authority that trusts whoever comes and
// votes every ten seconds.
const authorityOptions = `AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
DirPort %s:%d
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
V3AuthNIntervalsValid 100
TestingV3AuthInitialVotingInterval %d
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
TestingV3AuthVotingStartOffset %d
TestingAuthDirTimeToLearnReachability 0
TestingDirAuthVoteGuard *
MinUptimeHidServDirectoryV2 0
AuthDirTestReachability 0
ContactInfo testnet
`

// The first votes, in seconds: how far apart consensuses are, how long after
// the start the authority votes, and how long after that the consensus is.
const (
	firstInterval = 5
	firstVote     = 3
	firstDelays   = 2 + 2
)

// votingOffset moves the votes, which tor aligns to the clock, so that the
// first comes two to three seconds after now. By then relays have uploaded
// their descriptors; one that misses the vote costs ten seconds.
func votingOffset(now time.Time) int64 {
	return (now.Unix() + firstVote + firstDelays) % firstInterval
}

// torrc is the text of a node's configuration file.
func (n *Node) torrc(authority *Node, v3Ident string, votingOffset int64) string {
	var b strings.Builder
	b.WriteString(common)
	fmt.Fprintf(&b, "DataDirectory %s\n", n.Dir)
	fmt.Fprintf(&b, "ControlSocket %s\n", n.ControlSocket)
	fmt.Fprintf(&b, "DirAuthority %s orport=%d no-v2 v3ident=%s %s:%d %s\n",
		authority.Name, orPort, v3Ident, authority.Addr, dirPort, authority.Fingerprint)
	if n.role == client {
		fmt.Fprintf(&b, "SocksPort %s\n", n.SocksAddr)
		return b.String()
	}
	fmt.Fprintf(&b, relayOptions, n.Addr, orPort, n.Name, filepath.Join(n.Dir, "resolv.conf"))
	switch n.role {
	case authorityRole:
		fmt.Fprintf(&b, authorityOptions, n.Addr, dirPort, firstInterval, votingOffset)
		b.WriteString(noExit)
	case relay:
		b.WriteString(noExit)
	case exit:
		b.WriteString(ordinaryExit)
	}
	return b.String()
}
