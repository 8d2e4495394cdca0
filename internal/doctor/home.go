package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/statefile"
	"github.com/el-tor/tops/internal/tor"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/policies/access"
	"golang.org/x/sys/unix"
)

// lookAtData: whose is what tops keeps?
func lookAtData(_ context.Context, c *Case) []Finding {
	dir := c.Config.DataDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok("data_dir %s is made when tops starts", dir)
	case err != nil:
		why, do := denied(dir, false)
		return problem(do, "data_dir %s: %s", dir, why)
	case !info.IsDir():
		return problem("set data_dir to a directory", "data_dir %s is a file", dir)
	case info.Mode().Perm()&0o077 != 0:
		return warning("chmod 0700 "+dir, "others than its owner may enter data_dir %s (mode %#o), where the books are", dir, info.Mode().Perm())
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		why, do := denied(dir, true)
		return problem(do, "data_dir %s cannot be written to: %s", dir, why)
	}
	return ok("data_dir is %s, its owner's alone", dir)
}

// lookAtApps: can a client's connections go through this tor, and has it what a
// client that was killed left behind?
func lookAtApps(ctx context.Context, c *Case) (out []Finding) {
	if c.Config.Client == nil {
		return nil
	}
	if c.Tor != nil {
		listeners, err := c.Tor.Info(ctx, "net/listeners/socks")
		switch {
		case err != nil:
			out = unchecked("tor's SocksPort: %v", err)
		case strings.TrimSpace(listeners) == "":
			out = problem("give tor a SocksPort (SocksPort 127.0.0.1:9050 in torrc)", "this tor has no SocksPort, and paid connections go through it")
		}
	}
	if c.Planned {
		return out
	}
	if !c.runs() {
		var left tor.SettingsState
		if err := statefile.Load(app.ClientStateFile(c.Config), &left); err == nil && len(left.Options) > 0 {
			out = append(out, warning("start tops, and end it cleanly", "a client that was killed has left options in tor")...)
		}
		ln, err := net.Listen("tcp", c.Config.Client.SOCKS)
		if err != nil {
			return append(out, problem("see who listens there (ss -ltnp), or set client.socks to another port", "%s is not free: %v", c.Config.Client.SOCKS, err)...)
		}
		ln.Close()
		return append(out, ok("%s is free to listen on", c.Config.Client.SOCKS)...)
	}
	conn, err := net.Dial("tcp", c.Config.Client.SOCKS)
	if err != nil {
		return append(out, problem("see the log of tops", "nobody listens at %s: %v", c.Config.Client.SOCKS, err)...)
	}
	conn.Close()
	for _, u := range c.Status.Budget {
		if u.LeftMsat() <= 0 {
			out = append(out, warning("wait, or raise it in tops.toml", "the budget %s is used up", u.Which)...)
		}
	}
	return append(out, ok("may connect to %s", c.Config.Client.SOCKS)...)
}

// lookAtProxy: do the access profiles load, and can controllers connect?
func lookAtProxy(_ context.Context, c *Case) (out []Finding) {
	p := c.Config.Proxy
	if len(p.Listen) == 0 {
		return nil
	}
	if len(p.Policy) > 0 {
		set, ran, err := access.Check(p.Policy...)
		if err != nil {
			return problem("tops policy check says more", "the access profiles are wrong: %v", err)
		}
		out = ok("%s, with %s that hold", count(len(set.Profiles), "access profile"), count(ran, "vector"))
	} else {
		out = ok("who authenticates to tor may say everything: proxy.policy is empty")
	}
	if !c.runs() {
		return out
	}
	for _, at := range p.Listen {
		network, address, err := tor.SplitAddress(at)
		if err != nil {
			continue // systemd's sockets have no address to try
		}
		conn, err := net.Dial(network, address)
		if err != nil {
			out = append(out, problem("see the log of tops", "nobody listens at %s: %v", at, err)...)
			continue
		}
		conn.Close()
	}
	return out
}

// lookAtBooks has the books verified, also while tops writes to them.
func lookAtBooks(ctx context.Context, c *Case) []Finding {
	if c.Planned || !c.role() {
		return nil
	}
	l, err := ledger.OpenReader(ctx, c.Config.Ledger())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ok("none yet: tops makes them when it starts")
	case err != nil:
		return problem("restore a backup with tops ledger restore after moving the books away; do not delete them", "%v", err)
	}
	defer l.Close()
	if err := l.Verify(ctx); err != nil {
		return problem("stop tops, move the books away, and restore a backup with tops ledger restore; keep the broken ones", "%v", err)
	}
	return ok("agree with themselves")
}

// How much room there must be, and should be, for books and state files.
const (
	leastRoom  = 50 << 20
	enoughRoom = 500 << 20
)

func lookAtDisk(_ context.Context, c *Case) []Finding {
	dir := c.Config.DataDir
	var fsys unix.Statfs_t
	for unix.Statfs(dir, &fsys) != nil {
		if dir == filepath.Dir(dir) {
			return unchecked("the disk under data_dir")
		}
		dir = filepath.Dir(dir)
	}
	room := int64(fsys.Bavail) * int64(fsys.Bsize)
	const free = "free some room, or move data_dir"
	switch {
	case room < leastRoom:
		return problem(free, "%s left at %s: a payment that cannot be written down is not made, and not credited", mib(room), dir)
	case room < enoughRoom:
		return warning(free, "%s left at %s", mib(room), dir)
	}
	return ok("%s left at %s", mib(room), dir)
}

func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
