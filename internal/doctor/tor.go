package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/el-tor/tops/eltor"
	"github.com/el-tor/tops/internal/tor"
)

// lookAtControl: does tor answer, and may we speak to it?
func lookAtControl(_ context.Context, c *Case) []Finding {
	at := c.Config.Tor.Control
	if c.TorErr == nil {
		return ok("answers at %s, and takes our authentication", at)
	}
	var file *fs.PathError
	if errors.As(c.TorErr, &file) && errors.Is(file, fs.ErrPermission) {
		why, do := denied(file.Path, false)
		return problem(do+torFile(do, "CookieAuthFileGroupReadable 1"), "%v: %s", c.TorErr, why)
	}
	network, path, _ := tor.SplitAddress(at)
	switch {
	case errors.Is(c.TorErr, fs.ErrPermission) && network == "unix":
		why, do := denied(path, true)
		return problem(do+torFile(do, "ControlSocketsGroupWritable 1"), "%v: %s", c.TorErr, why)
	case errors.Is(c.TorErr, fs.ErrNotExist), errors.Is(c.TorErr, syscall.ECONNREFUSED):
		return problem("start tor (on Debian: systemctl start tor@default), with `ControlSocket /run/tor/control` or `ControlPort 9051` and `CookieAuthentication 1` in its torrc; or set tor.control to where it is",
			"nobody listens at %s", at)
	case strings.Contains(c.TorErr.Error(), "HASHEDPASSWORD"):
		return problem("set tor.password_file to a file with the password, or CookieAuthentication 1 in torrc", "%v", c.TorErr)
	}
	return problem("see tor's log, and tor.control, tor.cookie and tor.password_file in tops.toml", "%v", c.TorErr)
}

// torFile is what torrc needs before a group can help.
func torFile(do, option string) string {
	if strings.HasPrefix(do, "adduser ") {
		return ""
	}
	return "; for tor's own files: " + option + " in torrc, then systemctl reload tor@default"
}

var versionDigits = regexp.MustCompile(`(\d+)\.(\d+)(?:\.(\d+))?`)

// versionNumber reads the first three numbers of a version, each below 1000.
func versionNumber(s string) int {
	n := 0
	m := versionDigits.FindStringSubmatch(s)
	for i := 1; i <= 3; i++ {
		d := 0
		if i < len(m) {
			d, _ = strconv.Atoi(m[i])
		}
		n = n*1000 + min(d, 999)
	}
	return n
}

// The oldest tor that is known to do what is needed, and the oldest of the series
// that TOPS is tested with.
const (
	oldestTor = "0.4.7"
	testedTor = "0.4.8"
)

func lookAtVersion(ctx context.Context, c *Case) []Finding {
	if c.Tor == nil {
		return nil
	}
	version, err := c.Tor.Info(ctx, "version")
	if err != nil {
		return problem("see tor's log", "it does not tell its version: %v", err)
	}
	const upgrade = "upgrade tor (on Debian: apt-get install tor, or the packages of deb.torproject.org)"
	switch n := versionNumber(version); {
	case n < versionNumber(oldestTor):
		return problem(upgrade, "version %s is too old: %s at least", version, oldestTor)
	case n < versionNumber(testedTor):
		return warning(upgrade, "version %s is older than what TOPS is tested with, %s", version, testedTor)
	}
	// What the directory authorities think of it; unknown without a consensus.
	word, err := c.Tor.Info(ctx, "status/version/current")
	if err == nil && (word == "obsolete" || word == "unrecommended") {
		return warning(upgrade, "version %s is %s, say the directory authorities", version, word)
	}
	return ok("version %s", version)
}

var progress = regexp.MustCompile(`PROGRESS=(\d+).*SUMMARY="([^"]*)"`)

func lookAtBootstrap(ctx context.Context, c *Case) []Finding {
	if c.Tor == nil {
		return nil
	}
	phase, err := c.Tor.Info(ctx, "status/bootstrap-phase")
	if err != nil {
		return unchecked("how far it is: %v", err)
	}
	m := progress.FindStringSubmatch(phase)
	if m == nil || m[1] == "100" {
		return ok("is connected to the Tor network")
	}
	if c.Fork.Is() {
		return ok("has come %s %% of its way into El Tor's network: the rest comes with the first paid circuit", m[1])
	}
	return warning("wait; if it stays so, see tor's log", "has come %s %% of its way into the Tor network: %s", m[1], m[2])
}

// lookAtCarrier: which kind of tor is it? Stock tor knows no Payment option; El
// Tor's fork has them in its torrc.
func lookAtCarrier(ctx context.Context, c *Case) []Finding {
	if c.Tor == nil {
		return nil
	}
	if _, err := c.Tor.Info(ctx, "tops/version"); err == nil {
		return problem("set tor.control to tor's own control port", "%s is the control port of a tops, not of tor", c.Config.Tor.Control)
	}
	switch {
	case c.ForkErr != nil:
		return unchecked("what tor this is: %v", c.ForkErr)
	case c.Fork.Dialect == eltor.A && c.Config.Relay != nil:
		return warning("use dialect B of El Tor's tor (2025-09)", "%s", c.Fork.Carrier())
	case c.Fork.Is():
		return ok("%s", c.Fork.Carrier())
	}
	if c.Config.Relay == nil {
		return ok("stock tor: the exit is paid, and its gateway enforces it; what a middle relay does for money it does on its word")
	}
	return ok("stock tor: the gateway is what is paid, and enforces it")
}

// lookAtClock: pay streams count in seconds, but it is the consensus that shows a
// wrong clock.
func lookAtClock(ctx context.Context, c *Case) []Finding {
	if c.Tor == nil {
		return nil
	}
	after, err := consensusTime(ctx, c.Tor, "valid-after")
	if err != nil {
		return unchecked("tor has no consensus to compare the clock with")
	}
	until, err := consensusTime(ctx, c.Tor, "valid-until")
	if err != nil {
		return unchecked("tor has no consensus to compare the clock with")
	}
	const set = "set the clock, and keep it set: timedatectl set-ntp true, or chrony"
	now := time.Now()
	switch {
	case now.Before(after):
		return problem(set, "the clock is at least %s behind: tor's consensus begins at %s", round(after.Sub(now)), after.Format(time.RFC3339))
	case now.After(until.Add(24 * time.Hour)):
		return problem(set+"; if it is right, see why tor gets no consensus", "the clock is ahead, or tor has had no consensus for %s", round(now.Sub(until)))
	case now.After(until):
		return warning(set+"; if it is right, see tor's log", "tor's consensus ended %s ago: the clock is ahead, or tor cannot fetch another", round(now.Sub(until)))
	}
	if !synchronised() {
		return warning(set, "agrees with tor's consensus, but nothing keeps it right: the kernel calls it unsynchronised")
	}
	return ok("agrees with tor's consensus, and is kept right")
}

func round(d time.Duration) time.Duration { return d.Round(time.Second) }

func consensusTime(ctx context.Context, t *tor.Client, key string) (time.Time, error) {
	text, err := t.Info(ctx, "consensus/"+key)
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.DateTime, strings.TrimSpace(text))
}

// lookAtLogging: a relay's log with addresses in it is a list of who was served,
// a client's one of where he went.
func lookAtLogging(ctx context.Context, c *Case) []Finding {
	if c.Tor == nil {
		return nil
	}
	conf, err := c.Tor.Conf(ctx, "SafeLogging")
	if err != nil {
		return unchecked("%v", err)
	}
	value := strings.Join(conf["safelogging"], " ")
	if value == "0" || value == "relay" && c.Config.Client != nil {
		return warning("take SafeLogging out of torrc, then reload tor", "SafeLogging is %s: addresses of clients and targets stand in tor's log", value)
	}
	return ok("holds no addresses (SafeLogging %s)", value)
}

// short cuts a text to about n characters.
func short(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return fmt.Sprintf("%s…", s[:n])
}
