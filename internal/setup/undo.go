package setup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/relay"
	"github.com/el-tor/tops/internal/tor"
)

// Undone is what was taken back.
type Undone struct {
	Options   []string `json:"tor_options"` // put back
	Offers    []string `json:"offers"`      // disabled, by id
	Addresses []string `json:"addresses"`   // taken from lo
}

// Undo puts back every tor option that the relay of this configuration has set,
// disables its offers unless they are to be kept, and takes the address from lo if
// setting up gave it. What fails does not keep the rest from being done; doing it
// again does what is left. The configuration and the books stay. tops must not run.
func Undo(ctx context.Context, cfg *config.Config, keepOffers bool) (u Undone, err error) {
	o, err := app.TorOptions(cfg)
	if err != nil {
		return u, err
	}
	var errs []error
	fail := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
	}
	u.Options, err = relay.Undo(ctx, o, app.RelayStateFile(cfg))
	fail("put tor's options back", err)
	if cfg.Relay != nil && !keepOffers {
		u.Offers, err = disableOffers(ctx, cfg, o)
		fail("disable the relay's offers", err)
	}
	_, err = relay.Undo(ctx, o, app.DoctorStateFile(cfg))
	fail("put back what a doctor that was killed has left in tor", err)
	u.Addresses, err = removeAddress(cfg.DataDir)
	fail("take the address from lo", err)
	return u, errors.Join(errs...)
}

// disableOffers disables every active offer of the relay that this tor is.
func disableOffers(ctx context.Context, cfg *config.Config, o tor.Options) (ids []string, err error) {
	conn, err := tor.Start(ctx, tor.Config{Options: o})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	fingerprint, err := conn.Info(ctx, "fingerprint")
	if err != nil {
		return nil, fmt.Errorf("this tor is no relay, so that its offers are not known: %w", err)
	}
	node := cln.NewClient(cfg.Lightning.RPC)
	defer node.Close()
	receiver := cln.NewReceiver(node, cln.ReceiverOptions{})
	offers, err := receiver.Offers(ctx, relay.OfferPrefix(strings.ToUpper(strings.TrimSpace(fingerprint))))
	if err != nil {
		return nil, err
	}
	for _, offer := range offers {
		if !offer.Active {
			continue
		}
		if err := receiver.DisableOffer(ctx, offer.ID); err != nil {
			return ids, err
		}
		ids = append(ids, offer.ID)
	}
	return ids, nil
}
