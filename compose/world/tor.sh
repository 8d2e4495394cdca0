#!/bin/sh
# world-tor authority|relay|client NAME ADDRESS: one node of the private Tor network
# of docker-compose.yml. The authority leaves its fingerprints in /world, where the
# others wait for them. Nothing here is for the real Tor network.
set -eu
role=$1 name=$2 address=$3
data=/var/lib/tor
torrc=$data/torrc
mkdir -p "$data/keys"
chmod 700 "$data" "$data/keys"

# The authority's line for everybody's torrc, made once.
if [ "$role" = authority ] && [ ! -e /world/authority ]; then
	echo play | tor-gencert --create-identity-key -m 12 --passphrase-fd 0 \
		-i "$data/keys/authority_identity_key" -s "$data/keys/authority_signing_key" -c "$data/keys/authority_certificate"
	ident=$(sed -n 's/^fingerprint //p' "$data/keys/authority_certificate")
	print=$(tor --quiet --list-fingerprint --ignore-missing-torrc -f /none --DataDirectory "$data" --ORPort 5000 --Nickname "$name" | cut -d' ' -f2- | tr -d ' ')
	[ ${#print} = 40 ] && [ ${#ident} = 40 ] || { echo "no fingerprints: $print $ident" >&2; exit 1; }
	echo "DirAuthority $name orport=5000 no-v2 v3ident=$ident $address:7000 $print" >/world/authority.new
	mv /world/authority.new /world/authority
fi
until [ -e /world/authority ]; do sleep 0.2; done

cat >"$torrc" <<END
DataDirectory $data
ControlSocket /run/tor/control
CookieAuthentication 1
CookieAuthFile /run/tor/control.authcookie
Log notice stdout
Log notice file /run/tor/log
GeoIPFile /dev/null
GeoIPv6File /dev/null
TestingTorNetwork 1
ClientRejectInternalAddresses 1
ClientDNSRejectInternalAddresses 1
FetchDirInfoEarly 1
FetchDirInfoExtraEarly 1
LearnCircuitBuildTimeout 0
CircuitBuildTimeout 30
PathsNeededToBuildCircuits 0.67
TestingDirAuthVoteHSDir *
$(cat /world/authority)
END
if [ "$role" = client ]; then
	echo "SocksPort 127.0.0.1:9050" >>"$torrc"
else
	cat >>"$torrc" <<END
Nickname $name
Address $address
OutboundBindAddress $address
ORPort $address:5000
SocksPort 0
AssumeReachable 1
ExtendAllowPrivateAddresses 1
ExitRelay 0
ExitPolicy reject *:*
END
fi
if [ "$role" = authority ]; then
	cat >>"$torrc" <<END
ContactInfo play
DirPort $address:7000
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
V3AuthNIntervalsValid 100
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
TestingAuthDirTimeToLearnReachability 0
TestingDirAuthVoteGuard *
MinUptimeHidServDirectoryV2 0
AuthDirTestReachability 0
END
fi
rm -f /run/tor/log
exec tor -f "$torrc"
