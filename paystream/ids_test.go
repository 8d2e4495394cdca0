package paystream_test

import (
	"net/netip"
	"testing"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// The test vector of docs/protocol.md.
func TestIDVector(t *testing.T) {
	terms := policies.DefaultTerms("0123456789ABCDEF0123456789ABCDEF01234567",
		policies.Descriptor{Kind: policies.Offer, Value: "lno1example"}, netip.MustParseAddrPort("203.0.113.9:9402"))
	var preimage paystream.Preimage
	for i := range preimage {
		preimage[i] = byte(i)
	}
	hash := preimage.Hash()
	ids := paystream.RoundIDs(hash, terms)
	if len(ids) != 11 {
		t.Fatalf("%d ids, want the fee's and one for each of 10 rounds", len(ids))
	}
	for _, v := range []struct{ name, got, want string }{
		{"payment_id_hash", hash.Hex(), "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"},
		{"handle", string(hash.Handle()), "ebf064b1c7877810"},
		{"id(0)", string(ids[0]), "7086517fae0583554a8b718f4d43d0a9ca0590675bf4db159c440185dbfbbe14"},
		{"id(2)", string(ids[2]), "bda78d96789ed4e2ebd27035ee3a168996df5973cc0006630c7780f8b8a1d50f"},
		{"id(10)", string(ids[10]), "d924c47fbc8b1e517e0e626b5fd1cc100c8952a56e35936d2653d300601bc684"},
	} {
		if v.got != v.want {
			t.Errorf("%s = %s, want %s", v.name, v.got, v.want)
		}
	}
}

func TestParseRefusesWhatIsNotCanonical(t *testing.T) {
	for _, s := range []string{"", "ab", "630DCD2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd",
		"630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dg"} {
		if _, err := paystream.ParsePaymentIDHash(s); err == nil {
			t.Errorf("ParsePaymentIDHash(%q) was accepted", s)
		}
	}
}
