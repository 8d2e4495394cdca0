package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"

	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/policies/access"
	"github.com/el-tor/tops/proxy"
)

// policyCmd is about access profiles: what controllers may say and hear.
type policyCmd struct {
	Check   policyCheckCmd   `cmd:"" help:"Load access profiles, and try the commands of the .vectors file beside each: ALLOW or BLOCK, and a command, a line each."`
	Explain policyExplainCmd `cmd:"" help:"Say what becomes of a command, and which rule decides."`
	Learn   policyLearnCmd   `cmd:"" help:"Run a proxy that lets everything pass, and write the profile that would have sufficed."`
}

type policyCheckCmd struct {
	Files []string `arg:"" type:"path" help:"Profiles, or directories of them."`
}

func (c *policyCheckCmd) Run(e *env) error {
	set, ran, err := access.Check(c.Files...)
	if set == nil { // it is not a vector that fails
		return fault.Mark(fault.Usage, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%d profiles, %d vectors: all is well\n", len(set.Profiles), ran)
	return err
}

type policyExplainCmd struct {
	Policy   []string `default:"/etc/tops/access.d" type:"path" placeholder:"FILE" help:"Profiles, or directories of them (${default}); may repeat."`
	As       string   `placeholder:"USER" help:"A controller of this user, on this machine; you, if neither this nor --host is given."`
	Exe      string   `placeholder:"PATH" help:"Its executable."`
	Apparmor string   `placeholder:"NAME" help:"Its AppArmor profile."`
	Host     string   `placeholder:"ADDR" help:"A controller on another machine."`
	Listener string   `placeholder:"ADDR" help:"What it connected to."`
	Command  string   `arg:"" help:"What it says, such as 'GETINFO address'."`
}

// errBlocked makes explain end with 1, so that scripts may ask.
var errBlocked = errors.New("the command is blocked")

func (c *policyExplainCmd) Run(e *env) error {
	switch {
	case c.As != "" && c.Host != "":
		return wrong("say who speaks: --as USER for this machine, or --host ADDR for another")
	case c.As == "" && c.Host == "":
		u, err := user.Current()
		if err != nil {
			return fmt.Errorf("who speaks? --as USER: %w", err)
		}
		c.As = u.Username
	}
	id := access.WithUser(c.As)
	if c.Host != "" {
		addr, err := netip.ParseAddr(c.Host)
		if err != nil {
			return wrong("host %q is no address", c.Host)
		}
		id = access.Identity{Addr: netip.AddrPortFrom(addr, 0)}
	}
	id.Exe, id.AppArmor, id.Listener = c.Exe, c.Apparmor, c.Listener
	set, err := access.Load(c.Policy...)
	if err != nil {
		return fault.Mark(fault.Usage, fmt.Errorf("--policy: %w", err))
	}
	why := set.Explain(id, c.Command)
	if _, err := fmt.Fprintln(e.stdout, why); err != nil {
		return err
	}
	if !why.Allowed {
		return errBlocked
	}
	return nil
}

type policyLearnCmd struct {
	proxyFlags
	Out  string `short:"o" required:"" type:"path" placeholder:"FILE" help:"The profile to write, when the proxy is stopped."`
	User string `placeholder:"USER" help:"Whom it is for; who runs this, if not given."`
}

// teaching admits every controller to be learned from.
type teaching struct{ *access.Learner }

func (t teaching) Admit(proxy.Controller) (proxy.Guard, error) { return t.Guard(), nil }

func (c *policyLearnCmd) Run(e *env) error {
	if err := c.localOnly("learning allows everything, which"); err != nil {
		return err
	}
	if c.User == "" {
		c.User = "*"
		if u, err := user.Current(); err == nil {
			c.User = u.Username
		}
	}
	out, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) // now, rather than fail after the lesson
	if err != nil {
		return err
	}
	defer out.Close()
	srv, err := c.server(e)
	if err != nil {
		return err
	}
	var learner access.Learner
	srv.Access = teaching{&learner}
	if err := c.serve(e, srv); err != nil {
		return err
	}
	if _, err := out.Write(learner.Profile(profileName(c.Out), c.User)); err != nil {
		return err
	}
	return out.Close()
}
