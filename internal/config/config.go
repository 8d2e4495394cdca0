package config

import (
	"time"

	"github.com/el-tor/tops/policies"
)

// Config is the whole of tops.toml.
type Config struct {
	DataDir   string    `toml:"data_dir"` // books, cookies, the status socket; made 0700
	Tor       Tor       `toml:"tor"`
	Lightning Lightning `toml:"lightning"`
	Proxy     Proxy     `toml:"proxy"`
	Client    *Client   `toml:"client"`
	Relay     *Relay    `toml:"relay"`
}

// Tor says where tor is.
type Tor struct {
	Control      string `toml:"control"`       // unix:PATH or host:port
	Cookie       string `toml:"cookie"`        // the cookie file, if not where tor says
	PasswordFile string `toml:"password_file"` // for HashedControlPassword
}

// Lightning says where Core Lightning is.
type Lightning struct {
	RPC         string `toml:"rpc"`          // path of lightning-rpc
	AllowReveal bool   `toml:"allow_reveal"` // pay from a node that would show its address to the payee's
}

// Proxy is the control port that controllers use.
type Proxy struct {
	Listen []string `toml:"listen"` // unix:PATH or host:port
	Policy []string `toml:"policy"` // access profiles, files or directories; none: whoever authenticates to tor may say everything
}

// Client makes tops a payer.
type Client struct {
	SOCKS  string   `toml:"socks"`  // where apps connect: host:port
	Relays []string `toml:"relays"` // exits to pay, by fingerprint; empty: those whose terms are known and cheapest
	Guards []string `toml:"guards"` // first hops to use, by fingerprint; empty: tor's own choice

	MaxRoundMsat   int64   `toml:"max_round_msat"`
	MaxCircuitMsat int64   `toml:"max_circuit_msat"`
	HourMsat       int64   `toml:"hour_msat"`
	DayMsat        int64   `toml:"day_msat"`
	TotalMsat      int64   `toml:"total_msat"`
	ControllerMsat int64   `toml:"controller_msat"`
	MaxFeePercent  float64 `toml:"max_fee_percent"`
	MaxFeeMsat     int64   `toml:"max_fee_msat"`
	RiskRounds     int     `toml:"risk_rounds"`
	MinGoodput     int64   `toml:"min_goodput"` // bytes a second while somebody waits for bytes
	Continue       bool    `toml:"continue"`    // go on at the same relay when a pay stream ends
}

// Relay makes tops a payee.
type Relay struct {
	Address     string   `toml:"address"`      // the relay's public IPv4 address; empty: tor's word
	Port        uint16   `toml:"port"`         // of the gateway
	From        []string `toml:"from"`         // addresses that its own tor connects from, if not the relay's
	ExitPolicy  string   `toml:"exit_policy"`  // tor's syntax, or reduced
	AskFee      bool     `toml:"ask_fee"`      // ask every newcomer for fee_msat
	MaxFree     int      `toml:"max_free"`     // free pay streams at once, before newcomers are asked
	OutageGrace Duration `toml:"outage_grace"` // service while the node is away

	// For payers without BOLT12: a Lightning Address in the place of the offer, and
	// where its requests come in, from the web server or onion service of its
	// domain. Off if empty.
	LightningAddress string `toml:"lightning_address"` // user@domain
	LNURLListen      string `toml:"lnurl_listen"`      // loopback host:port

	RateMsat   int64    `toml:"rate_msat"`
	Interval   Duration `toml:"interval"`
	Rounds     int      `toml:"rounds"`
	FreeRounds int      `toml:"free_rounds"`
	FreeBytes  int64    `toml:"free_bytes"`
	RoundBytes int64    `toml:"round_bytes"`
	FinalMsat  int64    `toml:"final_msat"`
	FeeMsat    int64    `toml:"fee_msat"`
	Grace      Duration `toml:"grace"`
	Prepay     int      `toml:"prepay"`
}

// Duration is a time.Duration in Go's notation.
type Duration time.Duration

// UnmarshalText reads "90s", "10m", …
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func defaultClient() *Client {
	return &Client{
		SOCKS:        "127.0.0.1:9150",
		MaxRoundMsat: 5_000, MaxCircuitMsat: 500_000,
		HourMsat: 100_000, DayMsat: 1_000_000, TotalMsat: 10_000_000, ControllerMsat: 100_000,
		MaxFeePercent: 10, MaxFeeMsat: 5_000, RiskRounds: 10,
		MinGoodput: 4 << 10, Continue: true,
	}
}

func defaultRelay() *Relay {
	t := policies.DefaultTerms("", policies.Descriptor{}, policies.Terms{}.Gateway)
	return &Relay{
		Port: 9402, ExitPolicy: "reduced", MaxFree: 1000, OutageGrace: Duration(10 * time.Minute),
		RateMsat: t.RateMsat, Interval: Duration(t.Interval), Rounds: t.Rounds, FreeRounds: t.FreeRounds,
		FreeBytes: t.FreeBytes, RoundBytes: t.RoundBytes, FinalMsat: t.FinalMsat, FeeMsat: t.FeeMsat,
		Grace: Duration(t.Grace), Prepay: t.Prepay,
	}
}

// Terms fills a set of terms with the relay's prices and times.
func (r *Relay) Terms(t policies.Terms) policies.Terms {
	t.RateMsat, t.FinalMsat, t.FeeMsat = r.RateMsat, r.FinalMsat, r.FeeMsat
	t.Interval, t.Grace = time.Duration(r.Interval), time.Duration(r.Grace)
	t.Rounds, t.FreeRounds, t.Prepay = r.Rounds, r.FreeRounds, r.Prepay
	t.FreeBytes, t.RoundBytes = r.FreeBytes, r.RoundBytes
	return t
}
