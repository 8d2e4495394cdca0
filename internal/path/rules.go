package path

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Rules are what tor's user wants of paths: options of tor's.
type Rules struct {
	Exclude     Set   // ExcludeNodes
	ExcludeExit Set   // ExcludeExitNodes
	Entry       Set   // EntryNodes
	Exit        Set   // ExitNodes
	Strict      bool  // StrictNodes
	SubnetsMay  bool  // EnforceDistinctSubnets 0: one network may have several relays of a path
	Families    []Set // NodeFamily

	longLived []uint16 // LongLivedPorts
}

// Options are the names of the options that [ParseRules] reads.
func Options() []string {
	return []string{"ExcludeNodes", "ExcludeExitNodes", "EntryNodes", "ExitNodes", "StrictNodes", "NodeFamily",
		"EnforceDistinctSubnets", "GeoIPExcludeUnknown", "LongLivedPorts"}
}

// ParseRules reads the values of [Options] by their names in lower case. What cannot be
// read is an error: a relay that was to be avoided must not be used for a misreading.
func ParseRules(conf map[string][]string) (r Rules, err error) {
	value := func(option string) string { return strings.Join(conf[strings.ToLower(option)], ",") }
	for option, set := range map[string]*Set{"ExcludeNodes": &r.Exclude, "ExcludeExitNodes": &r.ExcludeExit, "EntryNodes": &r.Entry, "ExitNodes": &r.Exit} {
		if *set, err = ParseSet(value(option)); err != nil {
			return Rules{}, fmt.Errorf("tor's %s: %w", option, err)
		}
	}
	for _, family := range conf["nodefamily"] {
		set, err := ParseSet(family)
		if err != nil {
			return Rules{}, fmt.Errorf("tor's NodeFamily: %w", err)
		}
		r.Families = append(r.Families, set)
	}
	for _, port := range strings.Split(value("LongLivedPorts"), ",") {
		if n, err := strconv.ParseUint(strings.TrimSpace(port), 10, 16); err == nil {
			r.longLived = append(r.longLived, uint16(n))
		}
	}
	r.Strict = value("StrictNodes") == "1"
	r.SubnetsMay = value("EnforceDistinctSubnets") == "0"
	// auto, which is the default: who excludes a country excludes what is in none.
	unknown := value("GeoIPExcludeUnknown")
	if countries := len(r.Exclude.countries)+len(r.ExcludeExit.countries) > 0; unknown == "1" || unknown != "0" && countries {
		r.Exclude.countries = append(r.Exclude.countries, "??")
	}
	return r, nil
}

// Enters reports whether EntryNodes names a relay. country is that of a [Chooser].
func (r Rules) Enters(relay Relay, country func(netip.Addr) string) bool {
	return r.Entry.has(relay, country)
}

// LongLived reports whether connections to a port are long ones, for which tor wants
// stable relays.
func (r Rules) LongLived(port uint16) bool { return slices.Contains(r.longLived, port) }
