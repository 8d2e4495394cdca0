//go:build world

package packages_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scene is a machine with what was there before tops came.
type scene struct {
	*machine
	torPID  string
	options string // of tor
	files   map[string]bool
	deb     string // in the machine
}

// TestPackage lives through the whole life of the package on one machine, in order.
func TestPackage(t *testing.T) {
	s := &scene{machine: boot(t)}
	for _, part := range []struct {
		name string
		play func(*testing.T)
	}{
		{"before", s.before},
		{"install", s.install},
		{"nothing configured", s.nothingConfigured},
		{"control port", s.controlPort},
		{"client", s.client},
		{"killed at any moment", s.killed},
		{"relay", s.relay},
		{"upgrade", s.upgrade},
		{"remove", s.remove},
		{"purge", s.purge},
	} {
		if !t.Run(part.name, part.play) {
			t.Fatalf("what follows needs %q\n%s", part.name, s.try("journalctl --no-pager -n 40 -u 'tops*'"))
		}
	}
}

// torWorks wants the tor that ran before tops came, and that it answers.
func (s *scene) torWorks(t *testing.T) {
	t.Helper()
	if pid := s.show("tor@default", "MainPID"); pid != s.torPID {
		t.Errorf("tor has the pid %s and had %s", pid, s.torPID)
	}
	out, err := s.control(torControl, "GETINFO version net/listeners/socks")
	if err != nil || !strings.Contains(out, "250-version=") || !strings.Contains(out, "net/listeners/socks=") {
		t.Errorf("tor says %q, %v", out, err)
	}
}

// torIsAsBefore wants its options to be those of before, too.
func (s *scene) torIsAsBefore(t *testing.T) {
	t.Helper()
	s.torWorks(t)
	if now := s.machine.options(t); now != s.options {
		t.Errorf("tor has\n%s\nand had\n%s", now, s.options)
	}
}

func (s *scene) before(t *testing.T) {
	until(t, "tor's control port", patience, func() bool { _, err := s.control(torControl); return err == nil },
		func() string { return s.try("systemctl status --no-pager tor@default") })
	s.torPID = s.show("tor@default", "MainPID")
	s.options = s.machine.options(t)
	s.torIsAsBefore(t)
	// The nodes of play money are no part of the package.
	run(t, "docker", "cp", filepath.Join("..", "..", "bin", "tops"), s.name+":/opt/sim")
	s.sh(t, `groupadd --system lightning
systemd-run --quiet --unit=sim -p RuntimeDirectory=sim -p RuntimeDirectoryMode=0755 /opt/sim sim --dir /run/sim`)
	until(t, "the simulator", patience, func() bool {
		_, err := os.Stat(s.root + "/run/sim/control")
		return err == nil
	}, func() string { return s.try("systemctl status sim") })
	s.sh(t, "chgrp lightning /run/sim/*-rpc && chmod 0660 /run/sim/*-rpc")
	s.files = s.listing(t)
	if len(s.files) < 5000 {
		t.Errorf("only %d files are there", len(s.files))
	}
}

// listing is every file that stays, but for what dpkg and systemd keep of
// themselves.
func (s *scene) listing(t *testing.T) map[string]bool {
	t.Helper()
	files := map[string]bool{}
	for path := range strings.Lines(s.sh(t, `find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /dev \
	-o -path /var/lib/dpkg -o -path /var/cache/debconf -o -path /var/log/journal -o -path /var/log/dpkg.log -o -path /var/lib/tor \) -prune -o -print`)) {
		files[strings.TrimSpace(path)] = true
	}
	return files
}

// install installs the package and starts nothing.
func (s *scene) install(t *testing.T) {
	debs, err := filepath.Glob(filepath.Join("..", "..", "dist", "tops_*_"+strings.TrimSpace(s.sh(t, "dpkg --print-architecture"))+".deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("packages %q, %v: want one, made by make deb", debs, err)
	}
	s.deb = "/opt/tops.deb"
	s.files[s.deb] = true
	run(t, "docker", "cp", debs[0], s.name+":"+s.deb)
	s.sh(t, "dpkg -i "+s.deb)
	if out := s.sh(t, "systemctl list-units --all --no-legend 'tops*'"); out != "" {
		t.Errorf("units that run or failed: %s", out)
	}
	for _, unit := range []string{"tops@relay", "tops@client", "tops-proxy.service", "tops-proxy.socket"} {
		if got := strings.TrimSpace(s.try("systemctl is-enabled " + unit + " | head -n 1")); got != "disabled" {
			t.Errorf("%s is %q, want disabled", unit, got)
		}
	}
	if out := s.sh(t, "systemd-analyze verify --man=no tops@relay.service tops@client.service tops-proxy.service tops-proxy.socket 2>&1"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	if out := s.sh(t, `out=$(apparmor_parser --skip-kernel-load --skip-cache --quiet /etc/apparmor.d/usr.bin.tops 2>&1)
grep -v -e '^$' -e 'Cache read/write disabled' <<<"$out" || true`); out != "" {
		t.Errorf("apparmor_parser: %s", out)
	}
	t.Log(strings.TrimSpace(s.sh(t, "tops version")))
	s.torIsAsBefore(t)
}

// upgrade installs another version: what runs runs again, with the same books.
func (s *scene) upgrade(t *testing.T) {
	before := s.sh(t, "tops ledger -c /etc/tops/relay.toml --json")
	if !strings.Contains(before, `"unclaimed_msat": 4000`) {
		t.Fatalf("before the upgrade the books are %s", before)
	}
	relay, client := s.show("tops@relay", "MainPID"), s.show("tops@client", "ActiveState")
	s.sh(t, `cd /tmp && dpkg-deb -R `+s.deb+` next && sed -i 's/^Version: .*/Version: 99.0/' next/DEBIAN/control && dpkg-deb -Zgzip -z1 -b next next.deb >/dev/null && dpkg -i next.deb`)
	until(t, "the relay to run again", patience, func() bool {
		pid := s.show("tops@relay", "MainPID")
		return pid != relay && pid != "0" && s.show("tops@relay", "ActiveState") == "active"
	}, func() string { return s.try("systemctl status tops@relay") })
	if got := s.show("tops@client", "ActiveState"); got != client {
		t.Errorf("the client is %s, and was %s", got, client)
	}
	if after := s.sh(t, "tops ledger -c /etc/tops/relay.toml --json"); after != before {
		t.Errorf("after the upgrade the books are %s\nand were %s", after, before)
	}
	s.sh(t, "tops ledger verify -c /etc/tops/relay.toml")
	s.torWorks(t)
}

// remove takes the program away: nothing runs, tor is as it was, and what the
// operator has is kept.
func (s *scene) remove(t *testing.T) {
	s.sh(t, "dpkg -r tops")
	if out := s.try("readlink /proc/[0-9]*/exe | grep -w tops; systemctl list-units --no-legend 'tops*'"); strings.TrimSpace(out) != "" {
		t.Errorf("what runs: %s", out)
	}
	s.torIsAsBefore(t)
	for _, path := range []string{"/etc/tops/relay.toml", "/var/lib/tops/relay/ledger.db"} {
		if _, err := os.Stat(s.root + path); err != nil {
			t.Errorf("%v: want it kept until purge", err)
		}
	}
}

// purge leaves nothing, both after remove and at once.
func (s *scene) purge(t *testing.T) {
	s.sh(t, "dpkg -P tops")
	s.nothingIsLeft(t)
	s.torIsAsBefore(t)
	// At once, from a relay that runs and is enabled.
	s.sh(t, "dpkg -i "+s.deb)
	s.startRelay(t)
	s.sh(t, "systemctl enable --quiet tops@relay tops-proxy.socket && dpkg -P tops")
	s.nothingIsLeft(t)
	s.torIsAsBefore(t)
	if failed := s.sh(t, "systemctl list-units --failed --no-legend"); failed != "" {
		t.Errorf("units that failed: %s", failed)
	}
}

func (s *scene) nothingIsLeft(t *testing.T) {
	t.Helper()
	after := s.listing(t)
	for path := range after {
		if !s.files[path] {
			t.Errorf("%s is left", path)
		}
	}
	for path := range s.files {
		if !after[path] {
			t.Errorf("%s is gone", path)
		}
	}
}
