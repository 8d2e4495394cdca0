// Package profiles ships access profiles for the controllers that people run
// behind a control port: nyx, stem scripts, OnionShare, txtorcon, bitcoind, lnd,
// Core Lightning and Tor Browser. Each is in our own form (package access), with
// vectors of what it allows and blocks beside it.
//
// A profile is for the user that the program runs as. Copy it to the directory
// of your policy and put your user's name into [match]; where two programs run
// as one user, tell them apart by executables, apparmor or listeners.
//
//	cp bitcoind.toml bitcoind.vectors /etc/tops/access.d/
//	tops policy check /etc/tops/access.d
//
// What each program was seen to say was taken from its source or with `tops
// policy learn`; the onion services that point at control ports, the streams of
// others and the machine's address are not among it.
package profiles

import "embed"

// Files are the profiles and their vectors.
//
//go:embed *.toml *.vectors
var Files embed.FS
