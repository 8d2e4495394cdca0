package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/doctor"
	"github.com/el-tor/tops/internal/setup"
)

// doctorCmd looks at everything, and mends nothing.
type doctorCmd struct {
	configFlag
	JSON bool `help:"Print as JSON."`
}

// errSick makes doctor end with 1, so that scripts may ask.
var errSick = errors.New("there are problems")

func (c *doctorCmd) Run(e *env) error {
	cfg, missing, err := c.loadOrPlain()
	if err != nil {
		return err
	}
	patient := doctor.Open(e.ctx, cfg)
	defer patient.Close()
	all := doctor.Examine(e.ctx, patient)
	if e.ctx.Err() != nil {
		return e.ctx.Err()
	}
	if missing {
		all = append([]doctor.Finding{{
			Check: "configuration", State: doctor.Warning, What: c.Config + " does not exist: only tor is looked at",
			Do: "tops relay init writes one for a relay, tops config example client prints one for a client",
		}}, all...)
	}
	if c.JSON {
		if err := printJSON(e, map[string]any{"ok": !doctor.Sick(all), "findings": all}); err != nil {
			return err
		}
	} else if err := printFindings(e.stdout, all); err != nil {
		return err
	}
	if doctor.Sick(all) {
		return errSick
	}
	return nil
}

// loadOrPlain loads the configuration. Where none was named and none is there, it
// is that of a proxy alone, beside the tor that `tops proxy` would find.
func (c *configFlag) loadOrPlain() (cfg *config.Config, missing bool, err error) {
	_, err = os.Stat(c.Config)
	if !errors.Is(err, fs.ErrNotExist) || c.Config != defaultConfig || len(c.Set) > 0 {
		cfg, err = c.load()
		return cfg, false, err
	}
	l, err := config.New("", nil, []string{"tor.control=" + setup.FindTor()})
	if err != nil {
		return nil, true, err
	}
	return l.Config, true, nil
}

// defaultConfig is where a configuration is if nobody says.
const defaultConfig = "/etc/tops/tops.toml"

// printFindings writes a line for each, and below it what to do.
func printFindings(w io.Writer, all []doctor.Finding) error {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "%-11s  %-16s  %s\n", f.State, f.Check, f.What)
		if f.Do != "" {
			fmt.Fprintf(&b, "%31s→ %s\n", "", f.Do)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
