package config

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/el-tor/tops/policies"
)

// Config is the whole of tops.toml. Each field's doc tag is what `tops config
// example` says about it; an example tag is shown where the default is empty.
type Config struct {
	DataDir   string    `toml:"data_dir" doc:"Directory of the books, of what tor is to get back, and of the socket of tops status; made with mode 0700."`
	Books     string    `toml:"books" secret:"url" doc:"Where the books are: a PostgreSQL URL, whose search_path names the schema of this tops when several share a database; empty: ledger.db in data_dir." example:"postgres://tops@db.example/tops?search_path=relay1"`
	Tor       Tor       `toml:"tor" doc:"Where tor is."`
	Lightning Lightning `toml:"lightning" doc:"Where Core Lightning is; needed by both roles."`
	Proxy     Proxy     `toml:"proxy" doc:"The control port that controllers use in the place of tor's."`
	Web       Web       `toml:"web" doc:"The status page and the metrics."`
	Client    *Client   `toml:"client" doc:"With this table tops is a payer: it builds circuits for apps and pays their exits."`
	Relay     *Relay    `toml:"relay" doc:"With this table tops is a payee: it sells what the relay beside it carries."`
}

// Ledger is where the books are: a PostgreSQL URL or the path of a file.
func (c *Config) Ledger() string { return cmp.Or(c.Books, filepath.Join(c.DataDir, "ledger.db")) }

// Tor says where tor is.
type Tor struct {
	Control      string `toml:"control" doc:"tor's control port: unix:PATH or host:port."`
	Cookie       string `toml:"cookie" doc:"The cookie file that authenticates to tor, if it is not where tor says, as in a container." example:"/run/tor/control.authcookie"`
	PasswordFile string `toml:"password_file" doc:"A file with the password of tor's HashedControlPassword, for a tor that takes no cookie." example:"/etc/tops/tor-password"`
}

// Lightning says where Core Lightning is.
type Lightning struct {
	RPC         string `toml:"rpc" doc:"Path of Core Lightning's socket lightning-rpc; whoever may open it may spend the node's money." example:"/home/user/.lightning/bitcoin/lightning-rpc"`
	AllowReveal bool   `toml:"allow_reveal" doc:"Pay although the node would connect straight to the relays that it pays, and so show them its address."`
}

// Proxy is the control port that controllers use.
type Proxy struct {
	Listen []string `toml:"listen" doc:"Where controllers connect: unix:PATH, host:port or systemd:NAME, with options behind: ?mode=0660&group=NAME for a socket, auth=own to have tops authenticate them, remote=true for other machines (with a policy); empty: nowhere." example:"127.0.0.1:9061"`
	Policy []string `toml:"policy" doc:"Access profiles, files or directories, which say what a controller may do; none: whoever authenticates to tor may do everything." example:"/etc/tops/access.d"`

	CookieFile      string   `toml:"cookie_file" doc:"Where the cookie is written that controllers of auth=own listeners show; without it, only processes of the same user may use their unix sockets." example:"/run/tops/control.authcookie"`
	UpgradeCircuits bool     `toml:"upgrade_circuits" doc:"Pay for the circuits that controllers build by a plain EXTENDCIRCUIT, where the exit can be paid; with access profiles each profile says so itself."`
	StallTimeout    Duration `toml:"stall_timeout" doc:"A controller that reads nothing of what it is sent for so long is disconnected; 0s: never."`
}

// Web is the status page, with the metrics beside it.
type Web struct {
	Listen      string   `toml:"listen" doc:"Where the status page and /metrics are served: host:port on this machine, or unix:PATH (mode 0600), which other users of the machine cannot read; empty: nowhere."`
	Hosts       []string `toml:"hosts" doc:"Host names by which the page may be opened, besides those of the loopback; any other is refused, so that no web site can read the page by a name of its own." example:"relay.lan"`
	AllowRemote bool     `toml:"allow_remote" doc:"Listen where other machines can connect, too; the page has no password and shows what was earned and spent."`
}

// Client makes tops a payer.
type Client struct {
	SOCKS  string   `toml:"socks" doc:"The SOCKS5 port of apps, host:port, on this machine only."`
	Remote bool     `toml:"allow_remote" doc:"Let the SOCKS port listen beyond the loopback: whoever reaches it spends this client's money."`
	Relays []string `toml:"relays" doc:"Exits to pay, by fingerprint; empty: all whose descriptor has terms." example:"0123456789ABCDEF0123456789ABCDEF01234567"`
	Guards []string `toml:"guards" doc:"First hops to use, by fingerprint; empty: tor's own choice." example:"0123456789ABCDEF0123456789ABCDEF01234567"`

	Thrift         float64 `toml:"thrift" doc:"How much a low price counts when an exit is chosen: the chance grows with this power of it; 0: not at all."`
	MaxRoundMsat   int64   `toml:"max_round_msat" doc:"The most that one round may cost, in msat; dearer relays are left alone."`
	MaxCircuitMsat int64   `toml:"max_circuit_msat" doc:"The most to spend on one circuit, in msat, routing included."`
	HourMsat       int64   `toml:"hour_msat" doc:"The most to spend in any 60 minutes, in msat, held payments included."`
	DayMsat        int64   `toml:"day_msat" doc:"The most to spend in any 24 hours, in msat, held payments included."`
	TotalMsat      int64   `toml:"total_msat" doc:"The most to spend ever, in msat, so that a forgotten tops ends by itself."`
	ControllerMsat int64   `toml:"controller_msat" doc:"The most that a controller's circuits may cost in any 24 hours, in msat, if its access profile does not say."`
	MaxFeePercent  float64 `toml:"max_fee_percent" doc:"The most that routing may cost, in percent of a payment; small payments are put together until it is met."`
	MaxFeeMsat     int64   `toml:"max_fee_msat" doc:"The most that routing of one payment may cost, in msat."`
	RiskRounds     int     `toml:"risk_rounds" doc:"Rounds that may be paid ahead, which is what a relay that stops serving can keep."`
	MinGoodput     int64   `toml:"min_goodput" doc:"Bytes a second below which a round is bad service and not paid; judged only while somebody waits for bytes."`

	MaxFirstByte  Duration `toml:"max_first_byte" doc:"A first byte of an answer that comes later is bad service and not paid; 0s: no limit."`
	SlowestShare  float64  `toml:"slowest_share" doc:"Share of the median pace of this client's other recent circuits below which a circuit is bad service; 0: no limit."`
	SpareCircuits int      `toml:"spare_circuits" doc:"Circuits kept built and unpaid for the next app, at most; 0: each is built when it is needed."`
	PayMiddle     bool     `toml:"pay_middle" doc:"Pay the middle relay too, if it asks for it, on its word: nothing shows what it did for the money."`
	AtCap         string   `toml:"at_cap" doc:"What becomes of connections when the budget or a cap lets nobody be paid: refuse them, or free, through tor's ordinary circuits."`
	Retention     Duration `toml:"retention" doc:"How long the books remember single pay streams that are over, at least 24h; then one sum a day is left of them; 0s: for ever."`
	Continue      bool     `toml:"continue" doc:"Stay at the same relay when a pay stream ends, which can link the two; false: new connections get another circuit, and the old one goes on only while some are open."`

	ExperienceHalfLife Duration `toml:"experience_half_life" doc:"How long it takes until what a relay was like counts for half when the next is chosen."`
}

// Relay makes tops a payee.
type Relay struct {
	Address    string   `toml:"address" doc:"The relay's public IPv4 address; empty: what tor says." example:"203.0.113.9"`
	Port       uint16   `toml:"port" doc:"Port of the gateway, which only circuits through the relay beside it reach."`
	From       []string `toml:"from" doc:"Addresses that the relay's own tor connects to the gateway from, if not the relay's." example:"203.0.113.9"`
	ExitPolicy string   `toml:"exit_policy" doc:"Where paying clients may connect: tor's exit policy syntax, or reduced."`
	AskFee     bool     `toml:"ask_fee" doc:"Ask every newcomer for fee_msat before the free rounds, against those who come for these alone."`
	Resolver   []string `toml:"resolver" doc:"Name servers that resolve what paying clients connect to; none: those of /etc/resolv.conf. They see every name." example:"127.0.0.1:53"`

	MaxFree      int `toml:"max_free" doc:"Pay streams at once that have paid for no round yet; beyond them newcomers are asked for the opening fee, beyond twice as many for their first round ahead; 0: always."`
	MaxNewcomers int `toml:"max_newcomers" doc:"Newcomers a minute that bring no money, with the same consequence; against floods of them."`

	UplinkBytes    int64    `toml:"uplink_bytes" doc:"Bytes a second that all pay streams together may pass, shared fairly between them when they want more; a little below what the uplink carries; 0: no limit."`
	PayStreamConns int      `toml:"paystream_connections" doc:"Connections that one pay stream may have at once."`
	PayStreamRate  int      `toml:"paystream_rate" doc:"New connections a second of one pay stream; twice as many in a burst."`
	IdleTimeout    Duration `toml:"idle_timeout" doc:"A connection on which nothing moves for so long is closed, at the latest after twice that."`

	Retention   Duration `toml:"retention" doc:"How long the books remember single pay streams that are over, at least 24h; then one sum a day is left of them; 0s: for ever."`
	OutageGrace Duration `toml:"outage_grace" doc:"How long to serve on while the Lightning node is away and nobody can be judged."`

	BIP353 string `toml:"bip353" doc:"user@domain, published in the place of the offer itself; the DNS record of that name has to hold the offer that tops makes." example:"relay@example.com"`

	// For payers without BOLT12: a Lightning Address in the place of the offer, and
	// where its requests come in, from the web server or onion service of its
	// domain.
	LightningAddress string `toml:"lightning_address" doc:"user@domain, published in the place of the BOLT12 offer, for payers that have none; with lnurl_listen." example:"relay@example.com"`
	LNURLListen      string `toml:"lnurl_listen" doc:"Loopback host:port where the web server or onion service of that domain passes /.well-known/lnurlp/user on to." example:"127.0.0.1:9403"`

	FrontingNodes []string `toml:"fronting_nodes" doc:"Peers of the Lightning node, by public key, that its offer begins at, so that payers reach it through them; Core Lightning 26.04 or newer; none: as lightningd is configured." example:"02…"`

	RateMsat   int64    `toml:"rate_msat" doc:"Price of a round, in msat."`
	Interval   Duration `toml:"interval" doc:"Length of a round, 1s to 1h."`
	Rounds     int      `toml:"rounds" doc:"Rounds of a pay stream, 2 to 120."`
	FreeRounds int      `toml:"free_rounds" doc:"Rounds at the beginning that cost nothing, so that a client can try the circuit."`
	FreeBytes  int64    `toml:"free_bytes" doc:"Bytes that may pass before the first payment."`
	RoundBytes int64    `toml:"round_bytes" doc:"Bytes that each paid round adds to what may pass."`
	FinalMsat  int64    `toml:"final_msat" doc:"Price of the last round, in msat; dearer, as a premium for completing."`
	FeeMsat    int64    `toml:"fee_msat" doc:"The most that a newcomer is asked for as an opening fee, in msat; see ask_fee."`
	Grace      Duration `toml:"grace" doc:"How long a payment may be late before the client is cut; at most the interval."`
	Prepay     int      `toml:"prepay" doc:"Rounds that may be paid at once, which makes the routing of small payments cheaper."`
}

// Duration is a time.Duration in Go's notation.
type Duration time.Duration

// UnmarshalText reads "90s", "10m", … and whole days, "90d".
func (d *Duration) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return err
	}
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText writes what UnmarshalText reads: "10m", not "10m0s".
func (d Duration) MarshalText() ([]byte, error) {
	if day := Duration(24 * time.Hour); d > day && d%day == 0 {
		return fmt.Appendf(nil, "%dd", d/day), nil
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return []byte(s), nil
}

// Terms fills a set of terms with the relay's prices and times.
func (r *Relay) Terms(t policies.Terms) policies.Terms {
	t.RateMsat, t.FinalMsat, t.FeeMsat = r.RateMsat, r.FinalMsat, r.FeeMsat
	t.Interval, t.Grace = time.Duration(r.Interval), time.Duration(r.Grace)
	t.Rounds, t.FreeRounds, t.Prepay = r.Rounds, r.FreeRounds, r.Prepay
	t.FreeBytes, t.RoundBytes = r.FreeBytes, r.RoundBytes
	return t
}
