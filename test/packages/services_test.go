//go:build world

package packages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/cln"
)

// nothingConfigured is tops beside tor with no configuration at all.
func (s *scene) nothingConfigured(t *testing.T) {
	for _, signal := range []string{"TERM", "KILL"} {
		s.sh(t, "(tops run >/tmp/said 2>&1 & echo $! >/tmp/pid)")
		ask := `exec 3<>/dev/tcp/127.0.0.1/9151; printf 'PROTOCOLINFO 1\r\nQUIT\r\n' >&3; cat <&3`
		until(t, "a control port", patience, func() bool { return strings.Contains(s.try(ask), "250-VERSION Tor=") },
			func() string { return s.try("cat /tmp/said") })
		said := s.sh(t, "cat /tmp/said")
		for _, want := range []string{"127.0.0.1:9151", "tops relay init", "tops config example client", "tops demo"} {
			if !strings.Contains(said, want) {
				t.Errorf("it does not tell of %q:\n%s", want, said)
			}
		}
		s.torIsAsBefore(t)
		s.sh(t, "kill -"+signal+" $(cat /tmp/pid)")
		until(t, "it to end", patience, func() bool { return s.try("kill -0 $(cat /tmp/pid) 2>/dev/null || echo gone") == "gone\n" },
			func() string { return s.try("cat /tmp/said") })
		s.torIsAsBefore(t)
	}
}

// controlPort is tops-proxy: started by the first who connects, held to profiles,
// and started again when it was killed.
func (s *scene) controlPort(t *testing.T) {
	s.sh(t, "systemctl enable --now tops-proxy.socket")
	if got := s.show("tops-proxy.service", "ActiveState"); got != "inactive" {
		t.Errorf("before anybody connects the proxy is %s", got)
	}
	if got := s.sh(t, "stat -c '%a %U %G' /run/tops/control"); got != "660 root debian-tor\n" {
		t.Errorf("the socket is %s", got)
	}
	answers := func() {
		t.Helper()
		direct, err := s.control(torControl, "GETINFO version")
		if err != nil {
			t.Fatal(err)
		}
		if proxied, err := s.control("/run/tops/control", "GETINFO version"); err != nil || proxied != direct {
			t.Errorf("through the proxy %q, %v; tor itself %q", proxied, err, direct)
		}
	}
	answers()
	until(t, "the proxy to say that it is ready", patience, func() bool { return s.show("tops-proxy.service", "SubState") == "running" },
		func() string { return s.try("systemctl status tops-proxy") })
	s.notRoot(t, "tops-proxy.service")
	s.sh(t, "systemctl kill -s KILL tops-proxy.service")
	until(t, "another proxy", patience, func() bool { _, err := s.control("/run/tops/control"); return err == nil },
		func() string { return s.try("systemctl status tops-proxy") })
	answers()

	s.write(t, "/etc/tops/access.d/all.toml", "[match]\nanybody = true\n[commands]\nGETINFO = [\"version\"]\n")
	s.sh(t, "systemctl restart tops-proxy.service")
	out, err := s.control("/run/tops/control", "GETINFO version", "GETINFO address")
	if err != nil || !strings.Contains(out, "250-version=") || !strings.Contains(out, "510 GETINFO refused") {
		t.Errorf("with a profile: %q, %v", out, err)
	}
	s.write(t, "/etc/tops/access.d/all.toml", "[match]\nanybody = true\n[commands]\nGETINFO = [\"version\", \"config-file\"]\n")
	s.sh(t, "systemctl reload tops-proxy.service")
	until(t, "the profile to be reloaded", patience, func() bool {
		out, err := s.control("/run/tops/control", "GETINFO config-file")
		return err == nil && strings.Contains(out, "250-config-file=")
	}, func() string { return s.try("journalctl -n 5 -u tops-proxy") })
	s.sh(t, "systemctl disable --now tops-proxy.socket tops-proxy.service")
	s.torIsAsBefore(t)
}

// notRoot wants a service to be a user of its own that may do little.
func (s *scene) notRoot(t *testing.T, unit string) {
	t.Helper()
	status := s.sh(t, "cat /proc/"+s.show(unit, "MainPID")+"/status")
	for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("%s: no %q in its status", unit, want)
		}
	}
	if strings.Contains(status, "Uid:\t0\t") {
		t.Errorf("%s is root", unit)
	}
	t.Log(strings.TrimSpace(s.sh(t, "systemd-analyze security --no-pager "+unit+" | tail -n 1")))
}

// client runs tops@client, has it hang, and stops it.
func (s *scene) client(t *testing.T) {
	s.write(t, "/etc/tops/client.toml", "data_dir = \"/var/lib/tops/client\"\n[lightning]\nrpc = \"/run/sim/payer-rpc\"\n[client]\n")
	s.write(t, "/etc/systemd/system/tops@client.service.d/local.conf", "[Service]\nSupplementaryGroups=lightning\nWatchdogSec=5\nRestartSec=1\n")
	s.sh(t, "systemctl daemon-reload && systemctl enable --now tops@client") // which waits for READY=1
	s.notRoot(t, "tops@client")
	if now := s.machine.options(t); now == s.options || !strings.Contains(now, "__LeaveStreamsUnattached=1") {
		t.Errorf("while a client runs tor has\n%s", now)
	}
	if !strings.Contains(s.sh(t, "tops status -c /etc/tops/client.toml"), "spent") {
		t.Error("tops status says nothing of money")
	}
	pid := s.show("tops@client", "MainPID")
	beats := s.show("tops@client", "WatchdogTimestampMonotonic")
	for range 3 { // it beats more often than its manager is patient
		until(t, "a heartbeat", patience, func() bool { return s.show("tops@client", "WatchdogTimestampMonotonic") != beats },
			func() string { return s.try("systemctl status tops@client") })
		beats = s.show("tops@client", "WatchdogTimestampMonotonic")
	}
	if now := s.show("tops@client", "MainPID"); now != pid {
		t.Errorf("its pid was %s and is %s", pid, now)
	}
	s.sh(t, "kill -STOP "+pid)
	until(t, "a client that hangs to be replaced", patience, func() bool {
		now := s.show("tops@client", "MainPID")
		return now != pid && now != "0" && s.show("tops@client", "ActiveState") == "active"
	}, func() string { return s.try("systemctl status tops@client") })
	s.sh(t, "systemctl disable --now tops@client")
	s.torIsAsBefore(t)
}

// killed kills a client at many moments of its life, by both signals; each time tor
// is as it was, soon.
func (s *scene) killed(t *testing.T) {
	s.write(t, "/etc/systemd/system/tops@client.service.d/local.conf", "[Service]\nSupplementaryGroups=lightning\nRestart=no\n")
	s.sh(t, "systemctl daemon-reload")
	worst := time.Duration(0)
	const kills = 16
	for i := range kills {
		signal, wait := "KILL", time.Duration(i/2)*100*time.Millisecond
		if i%2 == 1 {
			signal = "TERM"
		}
		s.sh(t, "systemctl start --no-block tops@client")
		until(t, "a client to begin", patience, func() bool { return s.show("tops@client", "MainPID") != "0" },
			func() string { return s.try("systemctl status tops@client") })
		time.Sleep(wait) // the moment is what is tried
		s.try("systemctl kill --kill-who=main -s " + signal + " tops@client")
		began := time.Now()
		until(t, "tor to be as before", patience, func() bool {
			return s.show("tops@client", "MainPID") == "0" && s.machine.options(t) == s.options
		}, func() string { return s.machine.options(t) + s.try("systemctl status tops@client") })
		worst = max(worst, time.Since(began))
		s.torIsAsBefore(t)
		until(t, "its end", patience, func() bool {
			st := s.show("tops@client", "ActiveState")
			return st == "inactive" || st == "failed"
		}, func() string { return s.try("systemctl status tops@client") })
		s.sh(t, "systemctl reset-failed tops@client 2>/dev/null || true")
	}
	t.Logf("%d kills; tor was as before after %v at most", kills, worst.Round(time.Millisecond))
}

// startRelay sets a relay up as docs/relay.md has it, and starts it.
func (s *scene) startRelay(t *testing.T) {
	t.Helper()
	s.write(t, "/etc/systemd/system/tops@relay.service.d/local.conf", "[Service]\nSupplementaryGroups=lightning\n")
	s.sh(t, `systemctl daemon-reload
tops relay init --yes --force -c /etc/tops/relay.toml --data-dir /var/lib/tops/relay --rpc /run/sim/payee-rpc --group debian-tor
systemctl start tops@relay`)
}

// relay runs tops@relay, which is paid; kills it, and tor's options stay.
func (s *scene) relay(t *testing.T) {
	s.startRelay(t)
	s.notRoot(t, "tops@relay")
	during := s.machine.options(t)
	if !strings.Contains(during, "topsgateway:") || !strings.Contains(during, "ExitPolicy=accept 198.18.0.1:9402") {
		t.Errorf("while a relay runs tor has\n%s", during)
	}
	_, terms, _ := strings.Cut(during, "topsoffer:")
	s.pay(t, strings.Fields(terms)[0], 4000)
	until(t, "the payment to be in the books", patience, func() bool {
		return strings.Contains(s.try("tops ledger -c /etc/tops/relay.toml --json"), `"unclaimed_msat": 4000`)
	}, func() string { return s.try("tops ledger -c /etc/tops/relay.toml") })

	pid := s.show("tops@relay", "MainPID")
	s.sh(t, "systemctl kill --kill-who=main -s KILL tops@relay")
	until(t, "another relay", patience, func() bool {
		now := s.show("tops@relay", "MainPID")
		return now != pid && now != "0" && s.show("tops@relay", "ActiveState") == "active"
	}, func() string { return s.try("systemctl status tops@relay") })
	if now := s.machine.options(t); now != during {
		t.Errorf("after a kill tor has\n%s\nand had\n%s", now, during)
	}
	s.torWorks(t)
}

// pay pays an offer by the simulator's other node, with a note of nobody.
func (s *scene) pay(t *testing.T, offer string, amountMsat int64) {
	t.Helper()
	node := cln.NewClient(s.root + "/run/sim/payer-rpc")
	defer node.Close()
	var invoice struct {
		Invoice string `json:"invoice"`
	}
	if err := node.Call(t.Context(), "fetchinvoice", map[string]any{"offer": offer, "amount_msat": amountMsat, "payer_note": strings.Repeat("5a", 32)}, &invoice); err != nil {
		t.Fatal(err)
	}
	var paid any
	if err := node.Call(t.Context(), "xpay", map[string]any{"invstring": invoice.Invoice}, &paid); err != nil {
		t.Fatal(err)
	}
}
