// Package path chooses the relays of a paid circuit as tor would choose them, with
// the exit among those that can be paid. It is arithmetic alone: what tor knows and
// wants is handed in, and nothing is asked for but what a drawn relay needs.
//
//	consensus, err := path.ParseConsensus(text)          // tor's own document
//	rules, err := path.ParseRules(conf)                  // tor's own options
//	chooser := path.Chooser{Consensus: consensus, Rules: rules, …}
//	chosen, err := chooser.Choose(path.Request{})        // guard, middle, exit
//
// The rules are those of tor's path-spec (§2.2):
//
//   - the entry is the first of tor's own guards that will do, so that nobody sees
//     more of this client than tor would let him;
//   - no relay twice, no two of one family, no two of one IPv4 /16 or IPv6 /32;
//   - middle and exit are drawn by consensus bandwidth, times the consensus'
//     bandwidth-weights for the position;
//   - both are Fast, and Stable where the connection is a long one, as far as there
//     are such relays;
//   - ExcludeNodes, ExcludeExitNodes, EntryNodes, ExitNodes, StrictNodes, NodeFamily
//     and EnforceDistinctSubnets mean what they mean to tor.
//
// Two things are ours: an exit's weight is also multiplied by how cheap it is beside
// the others, within bounds, and by what this client has seen of it. A relay that
// undercuts everybody gets some more of the traffic, and not all of it.
package path
