package bolt11_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/el-tor/tops/cln/clnsim/internal/bolt11"
)

// An invoice that lightningd v26.06.6 made on regtest, and what it said of it.
const recorded = "lnbcrt10n1p4s90dhsp5sx4yda8vcvtmur9klygpaj5jt0q3jc49r4hkjnqrzvd4xwyxkyzspp59c5tevklhwmrxfdxalp5mtqkxv7lyhr4eyl3h4n5vh9sm3yhkdxqdqzvsxqyjw5qcqp29qxpqysgq9ycz07xxh8m3md453r75cwcnpgurj4lnv3tzry6a7uq3c2j74gc4n5rwag6vlmhyd3q7zqh5hy9dl5fqa2xr832lle3h3g0zgde7w9spppn3w4"

func TestRecorded(t *testing.T) {
	inv, err := bolt11.Decode(recorded)
	if err != nil {
		t.Fatal(err)
	}
	type said struct {
		Hash, Secret, Payee, Description, Currency string
		Msat, Expires                              int64
	}
	got := said{
		hex.EncodeToString(inv.PaymentHash[:]), hex.EncodeToString(inv.PaymentSecret[:]), hex.EncodeToString(inv.Payee),
		inv.Description, inv.Currency, inv.AmountMsat, inv.CreatedAt.Add(inv.Expiry).Unix(),
	}
	want := said{
		"2e28bcb2dfbbb63325a6efc34dac16333df25c75c93f1bd67465cb0dc497b34c",
		"81aa46f4ecc317be0cb6f9101eca925bc11962a51d6f694c03131b533886b105",
		"023e561307d9ef385fb0b603000b5e93a7897638a058a81cf73612a7c3d9cef8ec",
		"d", "bcrt", 1000, 1795946551,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestRoundTrip(t *testing.T) {
	key, err := btcec.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, msat := range []int64{0, 1, 10, 999, 1000, 2000, 10_000, 123_456, 100_000_000_000} {
		want := bolt11.Invoice{
			Currency: "bcrt", AmountMsat: msat, CreatedAt: time.Unix(1795341608, 0), Expiry: 90 * time.Second,
			PaymentHash: [32]byte{1, 2}, PaymentSecret: [32]byte{3}, Description: "paid by the round", FinalCLTV: 10,
		}
		got, err := bolt11.Decode(bolt11.Encode(want, key))
		if err != nil {
			t.Fatalf("%d msat: %v", msat, err)
		}
		want.Payee, want.Signature = key.PubKey().SerializeCompressed(), got.Signature
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%d msat: %s", msat, d)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(recorded)
	f.Add("lnbc1")
	f.Fuzz(func(t *testing.T, text string) {
		if inv, err := bolt11.Decode(text); err == nil && (inv.AmountMsat < 0 || inv.Expiry < 0 || len(inv.Payee) != 33) {
			t.Errorf("%q: %+v", text, inv)
		}
	})
}
