// Package access holds controllers of tor to profiles: what each may say and
// hear. A control port gives whoever reaches it everything: the address of the
// machine, the streams of others, the configuration, files that tor may read.
// Behind a profile a program has what it needs and no more.
//
//	policy, err := access.Open("/etc/tops/access.d")
//	guard, err := policy.Admit(identity)              // err: no profile is for it
//	line, reply, err := guard.Command(raw, ask)       // err: what is answered instead
//
// The package reads and judges; package proxy carries the bytes.
//
// # Two forms
//
// A file that ends in .yml is onion-grater's, of Whonix and Tails, and loads as
// it is: regular expressions for the arguments of commands, replacements, rewritten
// replies and events, confs, tor-browser-mode. What differs is on the safe side. A
// pattern is for the whole of the arguments, `a|b` included. A group that took no
// part is empty. A replacement cannot make a reply without an end. In confs each
// option is judged by itself. What is wrong in a file is an error at load, and so are
// two profiles that the same controller could match.
//
// A file that ends in .toml is of our own form:
//
//	profile = "example"
//	rate = "200/s"                    # all commands together
//
//	[match]                           # all that are given must hold
//	users = ["alice"]                 # or hosts = ["10.137.0.0/16"], for other machines
//	executables = ["/usr/bin/example"]
//
//	[commands]
//	GETINFO = ["version", "status/*"] # every key asked for must match one
//	SIGNAL = ["NEWNYM"]
//	SETCONF = ["DisableNetwork=0"]    # "Option" alone is its reset
//	EXTENDCIRCUIT = { paid = true }   # EXTENDCIRCUIT 0 becomes a paid circuit
//	CLOSECIRCUIT = "own"              # circuits that this controller built
//	ADD_ONION = { words = ["NEW:*", "Flags=DiscardPK", "Port=80,127.0.0.1:8080"], rate = "5/h" }
//	LOADCONF = { words = ["SocksPort=*"], max_bytes = 4096 }
//
//	[events]
//	STREAM = "own"                    # true, "own", or "suppress"
//
//	[limits]                          # at once, for one controller
//	circuits = 8
//	onions = 2
//	day_msat = 50000                  # EXTENDPAIDCIRCUIT, all of them, in 24 hours
//
// A command takes a list of words, "own", true (any arguments), or a table of
// words, whose ("own" or "any"), rate ("5/h": so many at once, and so many in each
// hour, for all controllers of the profile), redact (private keys and passwords leave
// the replies), paid (EXTENDCIRCUIT 0 is paid for as EXTENDPAIDCIRCUIT would be, where
// the last relay publishes terms) and max_bytes. '*' in a word is anything. The words are typed: options
// of SETCONF are Option=value with the quotes undone, flags of ADD_ONION come one
// at a time as Flags=X, its ports always with their target, which may end in a range
// of ports: Port=80,127.0.0.1:8000-8010. trusted = true lets the
// controller in without a cookie.
//
// # What holds in every profile
//
// What is not allowed is answered with 510, the reason and the profile's name, and
// tor never sees it. PROTOCOLINFO, AUTHCHALLENGE, AUTHENTICATE and QUIT are always
// allowed. No onion service may point at a control port; tor is asked where it
// listens. Control characters in a command line are refused. Where a profile of our
// own form allows CONF_CHANGED, passwords leave it.
//
// # Who is who
//
// On a unix socket the kernel tells user and process when the connection is made.
// On the loopback /proc/net/tcp tells the user, and the process is looked for
// by its descriptors, which takes root or CAP_SYS_PTRACE for those of other users;
// a process that cannot be seen matches no profile by executable or AppArmor. A
// process may run another program later: executables keep programs apart that do
// what they ought to, users keep apart those that do not.
//
// A stream is a controller's own if it came from its address or, on this machine,
// from a socket of its user; this shows in STREAM events alone, so a controller has
// to listen to them before it attaches streams. A circuit is its own if it built it.
//
// # Trying a policy
//
// Beside NAME.toml or NAME.yml there may be NAME.vectors: ALLOW or BLOCK and a
// command, a line each. [Check] runs them, [Explain] tells which rule decided, and
// [Learner] writes the profile that would have sufficed for what it saw.
package access
