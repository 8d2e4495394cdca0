package bolt12_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt12"
)

// An offer and an invoice for it that lightningd v26.06.6 made on regtest, and the offer_id that it gave.
const (
	offerText   = "lno1qgsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzrc2z4jkcar0wgs8yetvv9ujqcnpdej8w6tyw35pvggz8etpxp7eauu9lv9kqvqqkh5n57yhvw9qtz5peaekz2nu8kwwlrkq"
	offerID     = "2cb3294cf5f57a0c62bd35dfdc36bb490e8892420d4de9acdcdf805e897a0b6a"
	invoiceText = "lni1qqg006979yrj9knac3leh535z405zq3qqc3xu3s3rg94nj40zfsy866mhu5vxne6tcej5878k2mneuvgjy8s59t9d36x7u3qwfjkccteyp3xzmnywa5kgargzcssy0jkzvranmect7ctvqcqpd0f8fufwcu2qk9grnmnvy48c0vua78v2qsqvgnwgcg35z6ee2h3yczraddm72xrfua9uve2rlrm9deu7xyfzr6jqgp7s4qqtqss9njyqe40s6fpzaq6qzpuzd0sa3wety67203qj5kkl5s5vp3wuuupt9qrxwfkvgekgv33vgmrwdtyxu6xgdtxvcerywp4xc6ngdeexv6nqc3e89jrsctrxqcrxvrpv3skydrrvd3xyctrxyuxydfcx43rsenzvxsfsq372cfs0k008p0mpdsrqq94aya839mr3gzc4qw0wdsj5lpannhcasp4u9dyj3mmuwauszkf5jcfagnqxqd296maa0y5ly6qq2q2p77rupqpqvqt48r80qcq34fhzv06cf0t0v26m8us5vh6e46p7377x4ucmpnyvqpjdmnnvskrkhrjam3j5vgjzfe2qgcyecdkdtha30dqmz6pwqykelgt32jwk8dktjskudqzf0vh6zlhhwky5gwqqqqqqqqqqqqqqq9qqqqqqqqqqqqqr5jt9hav2gqqqqqq5szxkq4a9z5zqcap39gl9q2ck5mlards0fdd9z4vca4ghgka632wtve84d2vtyj64gpq869wqvpqqq9syypru4snqlv77wzlkzmqxqqtt6f60ztk8zs932qu7ump9f7rm8803m8sgqnv6kxwqegg074car79qn8qc9tyhgwzrqe4y32kvdvjqqu6vl5xkxz9f7f3qza0rwckz2gl9yqec8v4rnelf62yv8kkr0nhayw2c3dx"
)

func TestRecordedOffer(t *testing.T) {
	prefix, s, err := bolt12.Decode(offerText)
	if err != nil {
		t.Fatal(err)
	}
	if id := s.OfferID(); hex.EncodeToString(id[:]) != offerID {
		t.Errorf("offer_id %x, want %s", id, offerID)
	}
	if got := s.Text(bolt12.OfferDescription); got != "eltor relay bandwidth" {
		t.Errorf("description %q", got)
	}
	if again := bolt12.Encode(prefix, s); again != offerText {
		t.Errorf("written again: %s", again)
	}
}

func TestRecordedInvoice(t *testing.T) {
	prefix, s, err := bolt12.Decode(invoiceText)
	if err != nil {
		t.Fatal(err)
	}
	if prefix != bolt12.Invoice {
		t.Errorf("prefix %q", prefix)
	}
	if id := s.OfferID(); hex.EncodeToString(id[:]) != offerID {
		t.Errorf("offer_id %x, want %s", id, offerID)
	}
	node, _ := s.Get(bolt12.InvoiceNodeID)
	if !bolt12.Verify("invoice", s, node) {
		t.Error("the node's signature does not verify")
	}
	if bolt12.Verify("invoice", s.SetUint(bolt12.InvoiceAmount, 1), node) {
		t.Error("a changed amount verifies")
	}
	if again := bolt12.Encode(prefix, s); again != invoiceText {
		t.Errorf("written again: %s", again)
	}
}

func TestSign(t *testing.T) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	pub := key.PubKey().SerializeCompressed()
	s := bolt12.Stream{}.Set(bolt12.OfferDescription, []byte("x")).SetUint(bolt12.OfferAmount, 1000).Set(bolt12.InvreqMetadata, []byte{1})
	s = bolt12.Sign("invoice_request", s, key)
	if !bolt12.Verify("invoice_request", s, pub) {
		t.Error("does not verify")
	}
	if bolt12.Verify("invoice", s, pub) {
		t.Error("verifies under another message's name")
	}
	if v, ok := s.Uint(bolt12.OfferAmount); !ok || v != 1000 {
		t.Errorf("amount %d, %v", v, ok)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"no data":        "lno1",
		"other prefix":   "lnx1qgsq",
		"cut short":      "lno1qqqq",
		"not bech32":     "lno1bbbb",
		"mixed case":     "lno1qGsq",
		"empty part":     offerText + "+",
		"loose padding":  offerText + "p",
		"order":          bolt12.Encode("lno", bolt12.Stream{{Type: 10, Value: nil}, {Type: 2, Value: nil}}),
		"the same twice": bolt12.Encode("lno", bolt12.Stream{{Type: 10, Value: nil}, {Type: 10, Value: nil}}),
	} {
		if _, s, err := bolt12.Decode(text); err == nil {
			t.Errorf("%s: read as %v", name, s)
		}
	}
}

func TestDecodeJoins(t *testing.T) {
	for _, text := range []string{offerText[:20] + "+" + offerText[20:], offerText[:9] + "+ \n\t" + offerText[9:], strings.ToUpper(offerText)} {
		if _, s, err := bolt12.Decode(text); err != nil {
			t.Error(err)
		} else if again := bolt12.Encode("lno", s); again != offerText {
			t.Errorf("read %q as %s", text, again)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(offerText)
	f.Add(invoiceText)
	f.Add("lno1qqqq")
	f.Fuzz(func(t *testing.T, text string) {
		prefix, s, err := bolt12.Decode(text)
		if err != nil {
			return
		}
		_, again, err := bolt12.Decode(bolt12.Encode(prefix, s))
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if d := cmp.Diff(s, again); d != "" {
			t.Fatal(d)
		}
		_ = s.OfferID()
	})
}
