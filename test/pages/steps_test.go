package pages_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// step is a command of a page, as the reader types it.
type step struct {
	page  string
	on    string // the machine: relay, client or here
	text  string
	input string // what is answered to questions
	want  string // a pattern that the output has; of one that goes on: before the next step
	code  int    // how it ends
	goes  bool   // it goes on until a step stops it
	stop  string // in the place of a command: stop the one that goes on with this text
	again bool   // until it is so, for as long as a minute
	toml  string // in the place of a command: write the page's block with this text into this machine's tops.toml
}

// walk is what is typed on the machines of a private network, in this order.
var walk = []step{
	// I run a relay.
	{page: "docs/relay.md", on: "relay", text: "tops relay init --dry-run", want: `\+ .*tops:1 topsoffer:lno1`},
	{page: "docs/relay.md", on: "relay", text: "tops relay init", input: "2000\nreduced\nyes\n", want: "wrote /etc/tops/tops.toml"},
	{page: "docs/relay.md", on: "relay", text: "tops relay init --yes --force --rate-msat 2000 --exit-policy reduced --json", want: `"written": true`},
	{page: "docs/relay.md", on: "relay", text: "tops run", goes: true},
	{page: "docs/relay.md", on: "relay", text: "tops doctor", want: `(?m)^ok +way through tor`, again: true},
	{page: "docs/relay.md", on: "relay", text: "tops doctor --json", want: `"ok": true`},

	// I run tor: the control port.
	{page: "docs/tor.md", on: "client", text: "tops policy learn --listen 127.0.0.1:9061 --out mail.toml", goes: true},
	{on: "client", text: controller, want: "250-version=0.4", again: true},
	{on: "client", stop: "tops policy learn"},
	{page: "docs/tor.md", on: "client", text: "tops policy check mail.toml", want: "1 profiles"},
	{page: "docs/tor.md", on: "client", text: "tops policy explain --policy mail.toml 'GETINFO address'", want: "BLOCK", code: 1},
	{page: "docs/tor.md", on: "client", text: "tops proxy --listen 127.0.0.1:9061 --policy mail.toml", goes: true},
	{on: "client", text: controller, want: "250-version=0.4", again: true},
	{on: "client", stop: "tops proxy --listen 127.0.0.1:9061 --policy"},
	{page: "docs/tor.md", on: "client", text: "tops proxy --listen 127.0.0.1:9061", goes: true},
	{on: "client", text: controller, want: "250-version=0.4", again: true},
	{on: "client", stop: "tops proxy"},

	// I run tor: pay.
	{page: "docs/tor.md", on: "client", toml: "day_msat"},
	{page: "docs/tor.md", on: "client", text: "tops config check tops.toml", want: `tops.toml: ok \(client\)`},
	{page: "docs/tor.md", on: "client", text: "tops doctor -c tops.toml", want: `(?m)^ok +tor`},
	{page: "docs/tor.md", on: "client", text: "tops run -c tops.toml", goes: true},
	{page: "docs/tor.md", on: "client", text: "curl --socks5-hostname 127.0.0.1:9150 https://check.torproject.org/", want: "here I am", again: true},
	{page: "docs/tor.md", on: "client", text: "tops status -c tops.toml", want: `(?i)pay stream`},
	{page: "docs/tor.md", on: "client", text: "tops ledger -c tops.toml", want: `[0-9a-f]{16}`},
	{on: "client", stop: "tops run"},

	// The relay's books, a backup, and away again.
	{page: "docs/relay.md", on: "relay", text: "tops status", want: `(?i)relay`},
	{page: "docs/relay.md", on: "relay", text: "tops earnings"},
	{page: "docs/operations.md", on: "relay", text: "tops ledger backup books.backup"},
	{page: "docs/operations.md", on: "relay", text: "tops ledger verify", want: "(?i)ok|well|agree"},
	{on: "relay", stop: "tops run"},
	{on: "relay", text: "mv /var/lib/tops /var/lib/tops-lost"},
	{page: "docs/operations.md", on: "relay", text: "tops ledger restore books.backup"},
	{on: "relay", text: "rm -r /var/lib/tops && mv /var/lib/tops-lost /var/lib/tops"},
	{page: "docs/relay.md", on: "relay", text: "tops relay undo", want: "put back in tor"},
	{page: "docs/relay.md", on: "relay", text: "tops relay init -c /etc/tops/relay.toml --data-dir /var/lib/tops/relay --group debian-tor", input: "\n\nyes\n", want: "wrote /etc/tops/relay.toml"},

	// A second relay of the same operator.
	{page: "docs/relay.md", on: "relay", text: "tops relay init --yes -c /etc/tops/second.toml --data-dir /var/lib/tops-second --tor unix:/run/tor-instances/second/control", want: "wrote /etc/tops/second.toml"},
	{page: "docs/relay.md", on: "relay", text: "tops run -c /etc/tops/second.toml", goes: true},
	{on: "relay", text: "tops doctor -c /etc/tops/second.toml", want: `(?m)^ok +gateway`, again: true},
	{on: "relay", stop: "tops run"},
	{page: "docs/relay.md", on: "relay", text: "tops relay undo -c /etc/tops/second.toml", want: "put back in tor"},

	// Behind a NAT.
	{page: "docs/relay.md", on: "relay", text: "tops relay init --yes --force --add-address", want: "wrote /etc/tops/tops.toml"},
	{page: "docs/relay.md", on: "relay", text: "ip addr replace 203.0.113.9/32 dev lo"},
}

// elsewhere are commands that are tested in other words: where, and what shows it
// there. What begins with "docker compose" is typed as docker-compose.
var elsewhere = map[string]struct{ file, shows string }{
	// They are what runs these tests, or take hours.
	"make check": {".ci/run", "make test"}, "make test": {".ci/run", "make test"},
	"go test -run '^$' -bench Tunnel -benchtime 20x ./gateway": {"Makefile", "-bench"},

	// A newcomer.
	"git clone https://github.com/el-tor/tops && cd tops": {"test/pages/newcomer_test.go", "git clone"},
	"make demo": {"test/pages/newcomer_test.go", "make demo"},

	// The simulator by hand.
	"mkdir -p /tmp/sim":                    {"cmd/tops/testdata/sim.txt", "tops sim --dir"},
	"go run ./cmd/tops sim --dir /tmp/sim": {"cmd/tops/testdata/sim.txt", "tops sim --dir"},
	"go run ./cmd/tops sim ctl --dir /tmp/sim faults '{\"node\":\"payer\",\"set\":{\"paydelay\":\"300ms\",\"failrate\":\"0.3\"}}'": {"cmd/tops/testdata/sim.txt", "sim ctl"},

	// A plugin, on real nodes where they are.
	"lightning-cli plugin -k subcommand=start plugin=/usr/bin/tops tops-role=relay tops-rate-msat=2000": {"internal/plugin/plugin_test.go", "tops-role"},
	"lightning-cli tops-status":      {"internal/plugin/plugin_test.go", "tops-status"},
	"lightning-cli plugin stop tops": {"internal/plugin/plugin_test.go", "stop"},

	// The world in containers.
	"docker compose up -d --wait": {"test/compose/world_test.go", `"up", "-d"`},
	"docker compose down -v":      {"test/compose/world_test.go", `"down", "-v"`},
	"docker compose -f docker-compose.yml -f docker-compose.sim.yml up -d --wait":                                             {"test/compose/world_test.go", `"docker-compose.sim.yml"`},
	"docker compose -f docker-compose.yml -f docker-compose.sim.yml down -v":                                                  {"test/compose/world_test.go", `"docker-compose.sim.yml"`},
	"curl --socks5-hostname localhost:9150 http://web.tops:8080/":                                                             {"test/compose/world_test.go", "http://web.tops:8080"},
	"docker compose exec relay tops earnings":                                                                                 {"test/compose/world_test.go", `"relay", "earnings"`},
	"docker compose exec client tops ledger":                                                                                  {"test/compose/world_test.go", `"client", "ledger"`},
	"docker compose exec relay tops ledger":                                                                                   {"test/compose/world_test.go", `"relay", "ledger"`},
	"docker compose exec payer-node tops sim ctl --dir /lightning faults '{\"node\":\"payer\",\"set\":{\"failrate\":\"1\"}}'": {"test/compose/world_test.go", `"payer-node", "sim", "ctl"`},
	"docker build --target tops -t tops:local .":                                                                              {"docker-compose.yml", "target: tops"},
	"docker run --rm tops:local config example":                                                                               {"test/compose/world_test.go", `"config", "example"`},

	// The package, on a Debian with systemd.
	"make deb":                                 {"test/packages/package_test.go", "made by make deb"},
	"dpkg -i dist/tops_*_amd64.deb":            {"test/packages/package_test.go", `"dpkg -i "`},
	"systemctl enable --now tops-proxy.socket": {"test/packages/services_test.go", "systemctl enable --now tops-proxy.socket"},
	"systemctl restart tops-proxy.service":     {"test/packages/services_test.go", "systemctl restart tops-proxy.service"},
	"systemctl enable --now tops@client":       {"test/packages/services_test.go", "systemctl enable --now tops@client"},
	"dpkg -r tops":                             {"test/packages/package_test.go", `"dpkg -r tops"`},
	"dpkg -P tops":                             {"test/packages/package_test.go", `"dpkg -P tops"`},
	"make release":                             {"scripts/reproducible", "scripts/release"},
	"make reproducible":                        {"Makefile", "scripts/reproducible"},

	// For mainnet: the files are read by each Compose, the commands by the parser.
	"cp compose/client.example.toml client.toml":                                                             {"test/compose/config_test.go", "client.example.toml"},
	"cp compose/relay.example.toml relay.toml":                                                               {"test/compose/config_test.go", "relay.example.toml"},
	"export LIGHTNING_DIR=~/.lightning/bitcoin":                                                              {"test/compose/config_test.go", "LIGHTNING_DIR"},
	"export LIGHTNING_GID=$(stat -c %g $LIGHTNING_DIR/lightning-rpc) TOR_GID=$(stat -c %g /run/tor/control)": {"test/compose/config_test.go", "LIGHTNING_GID"},
	"docker compose -f compose/client.yml up -d":                                                             {"test/compose/config_test.go", "compose/client.yml"},
	"docker compose -f compose/client.yml exec tops tops status":                                             {"test/compose/config_test.go", "compose/client.yml"},
	"docker compose -f compose/client.yml down":                                                              {"test/compose/config_test.go", "compose/client.yml"},
	"docker compose -f compose/relay.yml up -d":                                                              {"test/compose/config_test.go", "compose/relay.yml"},
	"docker compose -f compose/relay.yml exec tops tops doctor":                                              {"test/compose/config_test.go", "compose/relay.yml"},
	"docker compose -f compose/relay.yml run --rm tops relay undo":                                           {"test/compose/config_test.go", "compose/relay.yml"},
	"TOR_RUN=tor-run docker compose -f compose/client.yml --profile tor up -d":                               {"test/compose/config_test.go", `"--profile", "tor"`},
	"TOR_RUN=tor-run docker compose -f compose/relay.yml --profile tor up -d":                                {"test/compose/config_test.go", `"--profile", "tor"`},
}

// controller is one that asks tor's control port, by way of tops, for its version.
const controller = `printf 'AUTHENTICATE %s\r\nGETINFO version\r\nQUIT\r\n' "$(od -An -v -tx1 "$TOR_COOKIE" | tr -d ' \n')" | socat -t2 - TCP:127.0.0.1:9061`

// TestCommands wants each command of each page to be in a list, and each list to
// have nothing else.
func TestCommands(t *testing.T) {
	used := make(map[string]bool)
	for _, p := range read(t) {
		for _, c := range p.Commands() {
			found := elsewhere[c.Text].file != ""
			for _, s := range walk {
				found = found || s.page == c.Page && s.text == c.Text
			}
			if !found {
				t.Errorf("%s:%d: nothing tests %q", c.Page, c.Line, c.Text)
			}
			used[c.Text] = true
		}
	}
	for _, s := range walk {
		if s.page != "" && s.text != "" && !used[s.text] {
			t.Errorf("%q is on no page, and is tested for %s", s.text, s.page)
		}
	}
	for text, e := range elsewhere {
		if !used[text] {
			t.Errorf("%q is on no page, and is said to be tested in %s", text, e.file)
		}
		content, err := os.ReadFile(filepath.Join(root, e.file))
		if err != nil || !strings.Contains(string(content), e.shows) {
			t.Errorf("%q is said to be tested in %s, which does not have %q: %v", text, e.file, e.shows, err)
		}
	}
}
