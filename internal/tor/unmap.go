package tor

import (
	"context"
	"errors"
	"strings"
)

// gatewayDomain ends the names by which gateways are reached: see DialGateway.
const gatewayDomain = ".tops"

// UnmapGateways takes the names of gateways back, which a process of ours that is
// no more has mapped.
func (c *Client) UnmapGateways(ctx context.Context) error { return unmapGateways(ctx, c) }

// UnmapGateway takes the name of one relay's gateway back.
func (c *Client) UnmapGateway(ctx context.Context, fingerprint string) error {
	name := strings.ToLower(fingerprint) + gatewayDomain
	_, err := c.Do(ctx, "MAPADDRESS "+name+"="+name)
	return err
}

// unmapGateways asks tor for the names, since none of ours may know them all: which
// of them a NEWNYM or a RELOAD has cleared is tor's affair.
func unmapGateways(ctx context.Context, d doer) error {
	text, err := getInfo(ctx, d, "address-mappings/control")
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(text) {
		name, _, _ := strings.Cut(line, " ")
		fingerprint, ok := strings.CutSuffix(name, gatewayDomain)
		if ok && isFingerprint(strings.ToUpper(fingerprint)) {
			_, err := d.Do(ctx, "MAPADDRESS "+name+"="+name)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
