package manual_test

import (
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/manual"
)

type cli struct {
	Look struct {
		Far  lookCmd `cmd:"" help:"Look far."`
		Near lookCmd `cmd:"" help:"Look near."`
	} `cmd:"" help:"Look: it's \"-- \\ ~^\" and … all."`
	Secret struct{} `cmd:"" hidden:""`
	Level  string   `short:"l" default:"some" enum:"some,much" env:"LEVEL" help:"How much."`
}

type lookCmd struct {
	File []string `arg:"" help:".hidden files are looked at, too."`
	At   string   `required:"" placeholder:"WHAT" help:"At what."`
	Not  string   `hidden:""`
}

func (lookCmd) Help() string { return "First `words`.\n\nSecond." }

func pages(t *testing.T) map[string]string {
	k, err := kong.New(&cli{}, kong.Name("tops"), kong.Description("What it is."))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	for _, p := range manual.Pages(k.Model, manual.Options{Version: "1.2-3", Date: time.Unix(1_800_000_000, 0)}) {
		m[p.File()] = string(p.Text)
	}
	return m
}

func TestPages(t *testing.T) {
	all := pages(t)
	for file, wants := range map[string][]string{
		"tops.1": {`.TH TOPS 1 2027-01-15 "tops 1.2\-3"`, `\fBtops\-look\fR(1)`, "\\fB\\-l\\fR, \\fB\\-\\-level\\fR=\\fILEVEL\\fR\nHow much. One of \\fBsome\\fR, \\fBmuch\\fR. Default: \\fBsome\\fR. Environment:\n\\fBLEVEL\\fR.",
			"\\fB4\\fR\nthe Lightning node"},
		"tops-look.1": {`tops\-look \- look: it's \(dq\-\- \e \(ti\(ha\(dq and \[u2026] all`, `\fBtops look far\fR \fB\-\-at\fR=\fIWHAT\fR \fIfile\fR ...`,
			"\n\\&.hidden files", "First \\fBwords\\fR.\n.PP\nSecond."},
		"tops.toml.5": {"THE TABLE [client]", "\\fBday_msat\\fR\n", "\\fB1000000\\fR"},
	} {
		for _, want := range wants {
			if !strings.Contains(all[file], want) {
				t.Errorf("%s: no %q in\n%s", file, want, all[file])
			}
		}
		if strings.Contains(strings.ToLower(all[file]), "secret\\fr") || strings.Contains(all[file], "\\-not") {
			t.Errorf("%s tells what is hidden", file)
		}
	}
	if len(all) != 3 {
		t.Errorf("%d pages, want 3", len(all))
	}
	for _, k := range config.Keys() {
		if !strings.Contains(all["tops.toml.5"], "\\fB"+k.Name[strings.LastIndexByte(k.Name, '.')+1:]+"\\fR\n") {
			t.Errorf("tops.toml(5) does not tell of %s", k.Name)
		}
	}
}
