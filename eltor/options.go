package eltor

import (
	"strconv"
	"strings"
	"time"

	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/policies"
)

// termsWord is in ContactInfo and changes with the terms: this tor publishes what
// its Payment options say when something else has changed, and not sooner.
const termsWord = "topseltor:"

// Options are the tor options of a relay with these terms. All of them are set at
// once.
func Options(t policies.Terms) []tor.Setting {
	where := map[policies.Kind]string{policies.Offer: offerLine, policies.BIP353: bip353Line, policies.LightningAddress: addressLine}
	settings := []tor.Setting{
		tor.Fixed(rateLine, strconv.FormatInt(t.RateMsat, 10)),
		tor.Fixed(intervalLine, strconv.FormatInt(int64(t.Interval/time.Second), 10)),
		tor.Fixed(roundsLine, strconv.Itoa(t.Rounds)),
		tor.Fixed(feeLine, strconv.FormatInt(t.FeeMsat, 10)),
	}
	for _, kind := range []policies.Kind{policies.Offer, policies.BIP353, policies.LightningAddress} {
		if kind == t.Descriptor.Kind {
			settings = append(settings, tor.Fixed(where[kind], t.Descriptor.Value))
		} else {
			settings = append(settings, tor.Fixed(where[kind])) // what else stood there would be paid in our stead
		}
	}
	return append(settings, tor.Setting{Key: "ContactInfo", Apply: func(base []string) []string {
		var words []string
		for _, w := range strings.Fields(strings.Join(base, " ")) {
			if !strings.HasPrefix(w, termsWord) {
				words = append(words, w)
			}
		}
		return []string{strings.Join(append(words, termsWord+t.Hash().String()[:16]), " ")}
	}})
}
