//go:build linux

package tor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/tor"
)

func TestDirectory(t *testing.T) {
	n := realNetwork(t)
	settings := tor.NewSettings(tor.SettingsState{}, nil, nil)
	client := start(t, n.Clients[0], settings)
	ctx := within(t, 20*time.Second)
	relay := n.Authority // it has a ContactInfo from the start

	if err := settings.Set(ctx, tor.Fixed("FetchUselessDescriptors", "1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "contact", func() bool {
		contact, err := client.Contact(ctx, relay.Fingerprint)
		return err == nil && contact == "testnet"
	})
	eventually(t, "no contact", func() bool {
		contact, err := client.Contact(ctx, n.Relays[2].Fingerprint)
		return err == nil && contact == ""
	})
	if _, err := client.Contact(ctx, strings.Repeat("0", 40)); !errors.Is(err, tor.ErrNoDescriptor) {
		t.Errorf("Contact of an unknown relay: %v, want ErrNoDescriptor", err)
	}
	both, err := client.Contacts(ctx, []string{relay.Fingerprint, n.Relays[2].Fingerprint, strings.Repeat("0", 40)})
	if err != nil || len(both) != 1 || both[relay.Fingerprint] != "testnet" {
		t.Errorf("Contacts = %v, %v; want that of the authority alone", both, err)
	}
	if text, err := client.Consensus(ctx); err != nil || !strings.Contains(text, "\nbandwidth-weights ") || !strings.Contains(text, "\nr relay0 ") {
		t.Errorf("Consensus: %d bytes, %v", len(text), err)
	}
	if text, err := client.Microdescriptor(ctx, relay.Fingerprint); err != nil || !strings.Contains(text, "ntor-onion-key ") {
		t.Errorf("Microdescriptor: %q, %v", text, err)
	}
	if _, err := client.Microdescriptor(ctx, strings.Repeat("0", 40)); !errors.Is(err, tor.ErrNoDescriptor) {
		t.Errorf("Microdescriptor of an unknown relay: %v, want ErrNoDescriptor", err)
	}
	if guards, err := client.EntryGuards(ctx); err != nil || len(guards) == 0 || len(guards[0]) != 40 {
		t.Errorf("EntryGuards = %v, %v", guards, err)
	}
	if country := client.Country(ctx, relay.Addr); country != "??" {
		t.Errorf("Country = %q of an address that is in none", country)
	}
	if addr, err := client.RelayAddress(ctx, relay.Fingerprint); err != nil || addr != relay.Addr {
		t.Errorf("RelayAddress = %v, %v; want %v", addr, err, relay.Addr)
	}
	if _, err := client.RelayAddress(ctx, strings.Repeat("0", 40)); err == nil {
		t.Error("RelayAddress of an unknown relay: no error")
	}
	for _, bad := range []string{"", "relay0", strings.Repeat("0", 39) + "\r"} {
		if _, err := client.Contact(ctx, bad); err == nil {
			t.Errorf("Contact(%q): no error", bad)
		}
		if _, err := client.RelayAddress(ctx, bad); err == nil {
			t.Errorf("RelayAddress(%q): no error", bad)
		}
	}
	if err := settings.Restore(ctx); err != nil {
		t.Fatal(err)
	}
}
