package manual

import (
	"strings"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/config"
)

// configuration is the page of tops.toml.
func configuration(app *kong.Application, o Options) Page {
	p := Page{Name: app.Name + ".toml", Section: 5}
	var r roff
	r.header(p, o)
	r.name(p, "configuration of tops, the Onion Pay Stream")
	r.section("DESCRIPTION")
	r.paragraphs(`A file in TOML. Every key may be left out, but that both roles need ` + "`lightning.rpc`" + `. A key that is not
known is an error, since a budget that is misspelt is no budget. Amounts are msat, thousandths of a sat; durations are
written like 90s, 10m or 30d.

An environment variable wins over the file (` + "`" + someKey().Env() + "` over `" + someKey().Name + "`" + `), and --set over both. Neither
makes a role: that takes its table. ` + "`tops config check`" + ` says what is wrong, ` + "`tops config show`" + ` what holds and where
it comes from, ` + "`tops config example`" + ` writes a file with all that stands here.`)
	for _, t := range config.Tables() {
		if t.Name == "" {
			r.section("BEFORE THE FIRST TABLE")
		} else {
			r.section("THE TABLE [" + t.Name + "]")
			r.paragraphs(t.Doc)
		}
		for _, k := range t.Keys {
			r.item(bold(k.Name[strings.LastIndexByte(k.Name, '.')+1:]), k.Doc+usual(k))
		}
	}
	r.section("EXAMPLES")
	r.b.WriteString("A client that spends at most 100 sat a day:\n")
	r.example("[lightning]", `rpc = "/home/user/.lightning/bitcoin/lightning-rpc"`, "[client]", "day_msat = 100_000")
	r.seeAlso(reference(app.Name, 1), reference(app.Name+"-config", 1), reference(app.Name+"-relay", 1))
	return p.finish(&r)
}

// usual says what holds if nobody says, and what could be said.
func usual(k config.Key) (text string) {
	value := config.TOML(k.Default())
	switch {
	case k.Name == "data_dir": // its default depends on who asks
		text = " Default: `/var/lib/tops` for root, `~/.local/share/tops` for others."
	case value != `""` && value != "[]":
		text = " Default: `" + value + "`."
	}
	if k.Example == "" {
		return text
	}
	example := any(k.Example)
	if value == "[]" {
		example = []string{k.Example}
	}
	return text + " Such as `" + config.TOML(example) + "`."
}
