package relay

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies"
)

// Options are the tor options of a paid relay with these terms.
func Options(terms policies.Terms, me Identity) []tor.Setting {
	return []tor.Setting{
		{Key: "ContactInfo", Apply: contact(terms)},
		{Key: "ExitPolicy", Apply: exitPolicy(terms.Gateway, me.Own, me.WasExit)},
		tor.Fixed("ExitPolicyRejectPrivate", "0"),
		tor.Fixed("ExitPolicyRejectLocalInterfaces", "0"),
		tor.Fixed("ExitRelay", "1"),
	}
}

// contact adds the terms to the operator's own words, in the place of terms that
// stood there before.
func contact(terms policies.Terms) func([]string) []string {
	return func(base []string) []string {
		var words []string
		for _, w := range strings.Fields(strings.Join(base, " ")) {
			if !strings.HasPrefix(w, "tops") || !strings.Contains(w, ":") {
				words = append(words, w)
			}
		}
		return []string{strings.Join(append(words, terms.ContactWords()), " ")}
	}
}

// exitPolicy puts the gateway's rules in front of the operator's. Two of tor's
// implicit rejections (private addresses, the relay's own) must be turned off for
// the gateway to be reached, so they are written out behind its rule. Without the
// last rule tor would append its default policy, which accepts.
func exitPolicy(gateway netip.AddrPort, own []netip.Addr, wasExit bool) func([]string) []string {
	rules := []string{"accept " + gateway.String(), "reject private:*"}
	for _, a := range own {
		if a.Is4() {
			rules = append(rules, fmt.Sprintf("reject %s:*", a))
		} else {
			rules = append(rules, fmt.Sprintf("reject6 [%s]:*", a))
		}
	}
	return func(base []string) []string {
		if !wasExit {
			return []string{strings.Join(append(rules[:len(rules):len(rules)], "reject *:*"), ",")}
		}
		return []string{strings.Join(append(rules[:len(rules):len(rules)], base...), ",")}
	}
}
