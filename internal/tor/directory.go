package tor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrNoDescriptor is returned for a relay whose server descriptor tor does not
// hold: an unknown relay, or a client without FetchUselessDescriptors 1, or one
// that has not fetched it yet.
var ErrNoDescriptor = errors.New("tor does not hold the relay's descriptor")

// ErrNoRelay is returned for a relay that is not in the consensus.
var ErrNoRelay = errors.New("not in the consensus")

// Consensus is the consensus that tor goes by (dir-spec §3.4), or the relays' entries
// alone where tor does not give it away.
func (c *Client) Consensus(ctx context.Context) (text string, err error) {
	for _, key := range []string{"dir/status-vote/current/consensus-microdesc", "dir/status-vote/current/consensus", "ns/all"} {
		if text, err = getInfo(ctx, c, key); !isRefusal(err) {
			return text, err
		}
	}
	return "", err
}

// Microdescriptor is what tor extends to a relay by; with UseMicrodescriptors 0, and to
// bridges, it does so by the Descriptor. The error of a relay of which tor holds none
// wraps [ErrNoDescriptor].
func (c *Client) Microdescriptor(ctx context.Context, fingerprint string) (string, error) {
	return c.held(ctx, "md/id/", fingerprint)
}

// Descriptor is a relay's signed server descriptor (dir-spec §2.1.1).
func (c *Client) Descriptor(ctx context.Context, fingerprint string) (string, error) {
	return c.held(ctx, "desc/id/", fingerprint)
}

func (c *Client) held(ctx context.Context, what, fingerprint string) (string, error) {
	text, err := c.ask(ctx, what, fingerprint)
	if isRefusal(err) || err == nil && text == "" {
		return "", fmt.Errorf("relay %s: %w", fingerprint, ErrNoDescriptor)
	}
	return text, err
}

// Contacts are the ContactInfo of relays, as [Client.Contact], asked for at once. Those
// without are left out.
func (c *Client) Contacts(ctx context.Context, fingerprints []string) (map[string]string, error) {
	lines := make([]string, len(fingerprints))
	for i, fp := range fingerprints {
		if !isFingerprint(fp) {
			return nil, fmt.Errorf("%q is not a relay's fingerprint", fp)
		}
		lines[i] = "GETINFO desc/id/" + strings.ToUpper(fp)
	}
	replies, err := c.DoAll(ctx, lines...)
	if err != nil && !isRefusal(err) {
		return nil, err
	}
	out := make(map[string]string)
	for i, reply := range replies {
		text := reply.Values()["desc/id/"+strings.ToUpper(fingerprints[i])]
		if contact, ok := contactOf(text); ok {
			out[fingerprints[i]] = contact
		}
	}
	return out, nil
}

// contactOf finds the contact line of a server descriptor (dir-spec §2.1.1).
func contactOf(descriptor string) (string, bool) {
	for line := range strings.Lines(descriptor) {
		if contact, ok := strings.CutPrefix(line, "contact "); ok {
			return strings.TrimRight(contact, "\r\n"), true
		}
	}
	return "", false
}

// EntryGuards are the fingerprints of tor's guards that are not down (control-spec
// §3.9, entry-guards): first those that it has used, then those that it would try next.
func (c *Client) EntryGuards(ctx context.Context) ([]string, error) {
	text, err := getInfo(ctx, c, "entry-guards")
	if err != nil {
		return nil, err
	}
	var used, next []string
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		hex := strings.TrimPrefix(words[0], "$")
		if len(hex) < 40 || !isFingerprint(hex[:40]) {
			continue
		}
		switch fp := strings.ToUpper(hex[:40]); words[1] {
		case "up":
			used = append(used, fp)
		case "never-connected":
			next = append(next, fp)
		}
	}
	return append(used, next...), nil
}

// Country is where tor's table has an address: two letters, or "??" if it does not
// know.
func (c *Client) Country(ctx context.Context, a netip.Addr) string {
	country, err := getInfo(ctx, c, "ip-to-country/"+a.String())
	if err != nil || len(country) != 2 {
		return "??"
	}
	return country
}

// Contact is a relay's ContactInfo as its signed descriptor has it, "" if it
// has none. A client holds descriptors with FetchUselessDescriptors 1 only.
func (c *Client) Contact(ctx context.Context, fingerprint string) (string, error) {
	text, err := c.Descriptor(ctx, fingerprint)
	if err != nil {
		return "", err
	}
	contact, _ := contactOf(text)
	return contact, nil
}

// RelayAddress is a relay's IPv4 address in the consensus (dir-spec, "r" line).
func (c *Client) RelayAddress(ctx context.Context, fingerprint string) (netip.Addr, error) {
	text, err := c.ask(ctx, "ns/id/", fingerprint)
	if isRefusal(err) || err == nil && text == "" {
		return netip.Addr{}, fmt.Errorf("relay %s: %w", fingerprint, ErrNoRelay)
	}
	if err != nil {
		return netip.Addr{}, err
	}
	for line := range strings.Lines(text) {
		// r nickname identity digest date time IP ORPort DirPort; a
		// microdescriptor consensus has no digest, tor fills it in.
		words := strings.Fields(line)
		if len(words) == 9 && words[0] == "r" {
			return netip.ParseAddr(words[6])
		}
	}
	return netip.Addr{}, fmt.Errorf("relay %s: no address in tor's answer", fingerprint)
}

// ExitPolicy is the exit policy that this tor, a relay, enforces now, one rule
// a line. It follows the options by about a second, when tor makes its next
// descriptor.
func (c *Client) ExitPolicy(ctx context.Context) (string, error) {
	return getInfo(ctx, c, "exit-policy/full")
}

func (c *Client) ask(ctx context.Context, what, fingerprint string) (string, error) {
	if !isFingerprint(fingerprint) {
		return "", fmt.Errorf("%q is not a relay's fingerprint", fingerprint)
	}
	return getInfo(ctx, c, what+strings.ToUpper(fingerprint))
}
