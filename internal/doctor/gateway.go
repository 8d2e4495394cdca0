package doctor

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/el-tor/tops/gateway"
	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/statefile"
	"github.com/el-tor/tops/internal/tor"
)

// at is where the relay's gateway is.
func (c *Case) at() netip.AddrPort { return netip.AddrPortFrom(c.Relay.Addr, c.Config.Relay.Port) }

// lookAtGateway: does it answer one that comes from where tor does? Or, before it
// runs, could it listen?
func lookAtGateway(ctx context.Context, c *Case) []Finding {
	if !c.hasGateway() || !c.Relay.Here {
		return nil
	}
	at := c.at()
	if !c.runs() {
		ln, err := net.Listen("tcp4", at.String())
		if err != nil && c.StatusErr == nil {
			return ok("%s is that of the tops that runs", at)
		}
		if err != nil {
			return problem("see who listens there (ss -ltnp), or set relay.port to another", "%s is not free: %v", at, err)
		}
		ln.Close()
		return ok("%s is free to listen on", at)
	}
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.Relay.Addr, 0))}
	link := gateway.NewClient(func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp4", at.String()) })
	defer link.Close()
	terms, err := link.Terms(ctx)
	if err != nil {
		return problem("see the log of tops", "%s does not answer one on this machine: %v", at, err)
	}
	if f := c.published(ctx, terms.ContactWords()); f != nil {
		return f
	}
	return ok("%s answers, and its terms are those in the relay's descriptor", at)
}

// published compares the gateway's terms with those in the relay's descriptor, as
// this tor, which is the relay, has published it.
func (c *Case) published(ctx context.Context, words string) []Finding {
	contact, err := c.Tor.Contact(ctx, c.Relay.Fingerprint)
	switch {
	case errors.Is(err, tor.ErrNoDescriptor):
		return warning("wait: tor makes its descriptor when it is sure of its address", "%s answers; the relay has published no descriptor yet", c.at())
	case err != nil:
		return unchecked("whether the relay's descriptor has the terms: %v", err)
	case !strings.HasSuffix(contact, words):
		return warning("wait a minute: tor publishes a changed ContactInfo soon", "%s answers; the relay's descriptor has other terms than the gateway, or none", c.at())
	}
	return nil
}

// lookThroughTor takes the way of a payer: a circuit of this tor's own that ends at
// this relay, and through it to the gateway.
func lookThroughTor(ctx context.Context, c *Case) []Finding {
	if !c.hasGateway() || c.Planned {
		return nil
	}
	if !c.runs() {
		return unchecked("tops does not run, so there is no gateway to reach")
	}
	if c.Config.Client != nil {
		return unchecked("the client of this tops attaches tor's streams; a client elsewhere can try")
	}
	if listeners, err := c.Tor.Info(ctx, "net/listeners/socks"); err != nil || strings.TrimSpace(listeners) == "" {
		return unchecked("this tor has no SocksPort to go through; give it one that only this machine reaches (SocksPort 127.0.0.1:9050), or let a client try")
	}
	err := c.walk(ctx)
	switch {
	case errors.Is(err, errNoCircuit):
		return unchecked("%v", err)
	case errors.Is(err, fs.ErrPermission):
		return unchecked("only the user of tops can, since tor's option has to be remembered in data_dir meanwhile: %v", err)
	case err != nil:
		return problem("see the lines above on the address, tor's options and the exit rules, and tor's log", "a stream through a circuit that ends here does not reach the gateway: %v", err)
	}
	return ok("a payer's way works: through a circuit that ends here the gateway answers")
}

var errNoCircuit = errors.New("no circuit to the relay could be made")

// walk builds the circuit and asks the gateway for its terms. What it sets in tor
// is remembered in a file meanwhile, so that whatever kills it can be undone.
func (c *Case) walk(ctx context.Context) (err error) {
	file := app.DoctorStateFile(c.Config)
	var saved tor.SettingsState
	if err := statefile.Load(file, &saved); err != nil {
		return err
	}
	settings := tor.NewSettings(saved, func(s tor.SettingsState) error { return statefile.Save(file, s) }, nil)
	circuits, attacher := tor.NewCircuits(), tor.NewAttacher(settings)
	options, err := app.TorOptions(c.Config)
	if err != nil {
		return err
	}
	t, err := tor.Start(ctx, tor.Config{Options: options, Handlers: []tor.Handler{settings, circuits, attacher}})
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), askFor)
		defer cancel()
		err = errors.Join(err, c.leave(end, t, settings), t.Close())
	}()
	circuit, hops, err := c.build(ctx, circuits)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoCircuit, err)
	}
	defer circuit.Close(context.WithoutCancel(ctx))
	link := gateway.NewClient(func(ctx context.Context) (net.Conn, error) {
		return attacher.DialGateway(ctx, tor.Gateway{Fingerprint: c.Relay.Fingerprint, Addr: c.at()}, tor.Target{Circuit: circuit.ID, Hop: hops})
	})
	defer link.Close()
	_, err = link.Terms(ctx)
	return err
}

// build builds a circuit that ends here. Some relay of the network is always away,
// so it is tried a few times.
func (c *Case) build(ctx context.Context, circuits *tor.Circuits) (circuit *tor.Circuit, hops int, err error) {
	for range 3 {
		var path []string
		if path, err = pathHere(ctx, c.Tor, c.Relay.Fingerprint); err != nil {
			return nil, 0, err
		}
		one, cancel := context.WithTimeout(ctx, checkFor/4)
		circuit, err = circuits.Build(one, path)
		cancel()
		if err == nil {
			return circuit, len(path), nil
		}
	}
	return nil, 0, err
}

// leave gives tor back what walk has changed.
func (c *Case) leave(ctx context.Context, t *tor.Client, settings *tor.Settings) error {
	others := slices.Equal(settings.Base(tor.LeaveStreamsUnattached), []string{"1"})
	errs := []error{settings.Restore(ctx)}
	if !others {
		errs = append(errs, t.ReleaseStreams(ctx))
	}
	errs = append(errs, t.UnmapGateway(ctx, c.Relay.Fingerprint))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("put tor's options back: %w", err)
	}
	return os.Remove(app.DoctorStateFile(c.Config))
}

// pathHere picks a way that ends at this relay. It takes two others, since a relay
// extends no circuit back to where it came from.
func pathHere(ctx context.Context, t *tor.Client, me string) ([]string, error) {
	text, err := t.Info(ctx, "ns/all")
	if err != nil {
		return nil, err
	}
	var others []string
	fingerprint := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) > 2 && words[0] == "r":
			digest, _ := base64.RawStdEncoding.DecodeString(words[2])
			fingerprint = strings.ToUpper(hex.EncodeToString(digest))
		case len(words) > 0 && words[0] == "s":
			if fingerprint != me && slices.Contains(words, "Fast") && slices.Contains(words, "Running") {
				others = append(others, fingerprint)
			}
		}
	}
	if len(others) < 2 {
		return nil, errors.New("tor knows too few other relays")
	}
	rand.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
	return []string{others[0], others[1], me}, nil
}
