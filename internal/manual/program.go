package manual

import (
	"fmt"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/fault"
)

// program is the page of tops itself.
func program(app *kong.Application, o Options) Page {
	p := Page{Name: app.Name, Section: 1}
	var r roff
	r.header(p, o)
	r.name(p, "pay the relays of Tor circuits over Lightning, and be paid as one")
	r.section("SYNOPSIS")
	fmt.Fprintf(&r.b, "%s [%s ...] %s [%s ...]\n", bold(app.Name), italic("option"), italic("command"), italic("argument"))
	r.section("DESCRIPTION")
	r.paragraphs(app.Help + "\n\n" + `It stands between an unmodified tor and whatever controls it. What it does is
decided by the tables of its configuration, ` + "`tops.toml`" + `: [client] makes it pay, [relay] has it paid, both may be
there. Without a configuration it is a control port in front of tor's that changes nothing.`)
	r.section("COMMANDS")
	refs := []string{reference(app.Name+".toml", 5)}
	for _, c := range visible(app.Node) {
		page := reference(app.Name+"-"+c.Name, 1)
		refs = append(refs, page)
		r.item(page, c.Help)
	}
	r.section("OPTIONS")
	r.b.WriteString("Each command takes these, too.\n")
	r.flags(app.Flags)

	r.section("EXIT STATUS")
	r.b.WriteString("Each class of failure has its own, so that a script knows whose move it is.\n")
	for _, c := range fault.Classes() {
		r.item(bold(fmt.Sprint(c.Code())), c.String()+".")
	}
	r.section("SIGNALS")
	r.item(bold("SIGTERM")+", "+bold("SIGINT"), "A clean end: payments under way are waited for, streams are released, and a client's tor gets its "+
		"options back. A relay's stay until `tops relay undo`.")
	r.item(bold("SIGHUP"), "Read the configuration again. Prices, times, budgets and access profiles hold at once; the log names what takes a new "+
		"start. What is wrong changes nothing.")
	r.item(bold("SIGKILL"), "Whatever the moment, a client's tor gets its options back from a small guardian process, and the books lose nothing.")
	r.section("ENVIRONMENT")
	r.item(bold("TOPS_CONFIG"), "The configuration file, as by `--config`.")
	r.item(bold("TOPS_LOG_LEVEL")+", "+bold("TOPS_LOG_FORMAT"), "As `--log-level` and `--log-format`.")
	r.item(bold("TOPS_")+italic("TABLE")+bold("_")+italic("KEY"), "Each key of the configuration: `"+someKey().Env()+"` is "+someKey().Name+
		". It wins over the file, and `--set` over both.")
	r.section("FILES")
	r.item(italic("/etc/tops/tops.toml"), "The configuration, if no other is named.")
	r.item(italic("/etc/tops/relay.toml")+", "+italic("/etc/tops/client.toml"), "Those of the services `tops@relay` and `tops@client`.")
	r.item(italic("/etc/tops/access.d/"), "Access profiles of the service `tops-proxy`.")
	r.item(italic("/var/lib/tops/"), "The books, what tor is to get back, and the socket of `tops status`; of a user who is not root: "+
		"`~/.local/share/tops`.")
	r.item(italic("/run/tops/control"), "The control port of `tops-proxy.socket`.")
	r.section("EXAMPLES")
	r.b.WriteString("See it all happen on a private network, with play money (as root):\n")
	r.example("tops demo")
	r.b.WriteString(".PP\nBe paid as a relay, after a look at what would change:\n")
	r.example("tops relay init", "tops run")
	r.b.WriteString(".PP\nPay as a client:\n")
	r.example("tops config example client > tops.toml", "tops run -c tops.toml")
	r.seeAlso(append(refs, reference("tor", 1))...)
	return p.finish(&r)
}

// someKey is one that everybody knows.
func someKey() config.Key {
	for _, k := range config.Keys() {
		if k.Name == "client.day_msat" {
			return k
		}
	}
	return config.Keys()[0]
}
