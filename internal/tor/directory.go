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

// Contact is a relay's ContactInfo as its signed descriptor has it, "" if it
// has none. A client holds descriptors with FetchUselessDescriptors 1 only.
func (c *Client) Contact(ctx context.Context, fingerprint string) (string, error) {
	text, err := c.Descriptor(ctx, fingerprint)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		if contact, ok := strings.CutPrefix(line, "contact "); ok {
			return strings.TrimRight(contact, "\r\n"), nil
		}
	}
	return "", nil
}

// Descriptor is a relay's signed server descriptor (dir-spec §2.1.1).
func (c *Client) Descriptor(ctx context.Context, fingerprint string) (string, error) {
	text, err := c.ask(ctx, "desc/id/", fingerprint)
	if isRefusal(err) || err == nil && text == "" {
		return "", fmt.Errorf("relay %s: %w", fingerprint, ErrNoDescriptor)
	}
	return text, err
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
