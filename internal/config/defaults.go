package config

import (
	"os"
	"path/filepath"
	"time"

	"github.com/el-tor/tops/policies"
)

// DefaultWebListen is where the status page is if nothing is said.
const DefaultWebListen = "127.0.0.1:9180"

// defaults has every default, those of both roles among them.
func defaults() *Config {
	return &Config{
		DataDir: defaultDataDir(),
		Tor:     Tor{Control: "unix:/run/tor/control"},
		Proxy:   Proxy{StallTimeout: Duration(5 * time.Minute)},
		Web:     Web{Listen: DefaultWebListen},
		Client:  defaultClient(),
		Relay:   defaultRelay(),
	}
}

func defaultClient() *Client {
	return &Client{
		SOCKS:  "127.0.0.1:9150",
		Thrift: 2, MaxRoundMsat: 5_000, MaxCircuitMsat: 500_000,
		HourMsat: 100_000, DayMsat: 1_000_000, TotalMsat: 10_000_000, ControllerMsat: 100_000,
		MaxFeePercent: 10, MaxFeeMsat: 5_000, RiskRounds: 10,
		MinGoodput: 4 << 10, Continue: true,
		MaxFirstByte: Duration(20 * time.Second), SlowestShare: 0.1, SpareCircuits: 2, AtCap: string(policies.Refuse),
		Retention:          Duration(90 * 24 * time.Hour),
		ExperienceHalfLife: Duration(3 * 24 * time.Hour),
	}
}

func defaultRelay() *Relay {
	t := policies.DefaultTerms("", policies.Descriptor{}, policies.Terms{}.Gateway)
	return &Relay{
		Port: 9402, ExitPolicy: "reduced", OutageGrace: Duration(10 * time.Minute), Retention: Duration(90 * 24 * time.Hour),
		MaxFree: 1000, MaxNewcomers: 600, PayStreamConns: 128, PayStreamRate: 32, IdleTimeout: Duration(10 * time.Minute),
		RateMsat: t.RateMsat, Interval: Duration(t.Interval), Rounds: t.Rounds, FreeRounds: t.FreeRounds,
		FreeBytes: t.FreeBytes, RoundBytes: t.RoundBytes, FinalMsat: t.FinalMsat, FeeMsat: t.FeeMsat,
		Grace: Duration(t.Grace), Prepay: t.Prepay,
	}
}

// defaultDataDir is root's, or in the user's home.
func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/tops"
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "tops-data"
	}
	return filepath.Join(home, ".local", "share", "tops")
}
