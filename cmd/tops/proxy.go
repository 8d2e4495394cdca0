package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/el-tor/tops/internal/setup"
	"github.com/el-tor/tops/policies/access"
	"github.com/el-tor/tops/proxy"
	"golang.org/x/sync/errgroup"
)

// proxyFlags are those of every subcommand that runs a proxy alone.
type proxyFlags struct {
	Listen       []string      `required:"" placeholder:"ADDR" help:"Where controllers connect: host:port, unix:PATH or systemd:NAME; may repeat."`
	Upstream     string        `placeholder:"ADDR" help:"tor's control port; unix:/run/tor/control or 127.0.0.1:9051 if not given."`
	Auth         string        `enum:"pass,own" default:"pass" help:"Who authenticates controllers: tor (pass) or tops (own)."`
	Cookie       string        `type:"path" placeholder:"FILE" help:"With --auth own: the cookie file to write for controllers."`
	Mode         string        `default:"0600" placeholder:"MODE" help:"Mode of unix sockets."`
	Group        string        `help:"Group of unix sockets."`
	AllowRemote  bool          `help:"Allow listeners that other machines reach; only with a policy."`
	StallTimeout time.Duration `default:"5m" placeholder:"TIME" help:"Disconnect a controller that reads nothing of what it is sent for so long; 0s: never."`
}

// proxyCmd runs the control-port proxy with no wallet and no configuration.
type proxyCmd struct {
	proxyFlags
	Policy []string `type:"path" placeholder:"FILE" help:"Access profiles, or directories of them; may repeat. Reloaded on SIGHUP."`
}

func (c *proxyCmd) Run(e *env) error {
	if c.AllowRemote && len(c.Policy) == 0 {
		return errors.New("--allow-remote without --policy would give other machines all of tor")
	}
	srv, err := c.server(e)
	if err != nil {
		return err
	}
	if len(c.Policy) > 0 {
		policy, err := access.Open(c.Policy...)
		if err != nil {
			return err
		}
		srv.Access = proxy.Profiles{Policy: policy}
		defer reloadOnHangup(e, policy)()
	}
	return c.serve(e, srv)
}

// server makes the server that the flags describe.
func (c *proxyFlags) server(e *env) (*proxy.Server, error) {
	srv := &proxy.Server{
		Dial: func(ctx context.Context) (net.Conn, error) {
			upstream := c.Upstream
			if upstream == "" {
				upstream = setup.FindTor() // each time: tor may have started since
			}
			return proxy.Dialer(upstream)(ctx)
		},
		StallTimeout: c.StallTimeout,
		OnError: func(who proxy.Controller, err error) {
			e.log.Warn().Stringer("who", who).Err(err).Msg("controller")
		},
	}
	if c.Auth != "own" {
		return srv, nil
	}
	uid := uint32(os.Geteuid())
	srv.Auth = &proxy.Auth{AllowPeer: func(p proxy.Peer) bool { return p.UID == uid }}
	if c.Cookie != "" {
		cookie, err := proxy.NewCookie(c.Cookie, 0)
		if err != nil {
			return nil, err
		}
		srv.Auth.CookieFile, srv.Auth.Cookie = c.Cookie, cookie
	}
	return srv, nil
}

// serve opens the listeners and serves until the end.
func (c *proxyFlags) serve(e *env, srv *proxy.Server) error {
	mode, err := strconv.ParseUint(c.Mode, 8, 9)
	if err != nil {
		return fmt.Errorf("mode %q is not an octal number such as 0660", c.Mode)
	}
	o := proxy.ListenOptions{Mode: os.FileMode(mode), Group: c.Group, AllowRemote: c.AllowRemote}
	var listeners []net.Listener
	for _, addr := range c.Listen {
		ln, err := proxy.Listen(addr, o)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return err
		}
		e.log.Info().Stringer("addr", ln.Addr()).Msg("controllers may connect")
		listeners = append(listeners, ln)
	}
	g, ctx := errgroup.WithContext(e.ctx)
	for _, ln := range listeners {
		g.Go(func() error { return srv.Serve(ctx, ln) })
	}
	if c.Cookie != "" {
		defer os.Remove(c.Cookie)
	}
	return g.Wait()
}

// reloadOnHangup reloads a policy on SIGHUP, all or nothing, until stop.
func reloadOnHangup(e *env, policy *access.Policy) (stop func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(e.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			}
			if err := policy.Reload(); err != nil {
				e.log.Error().Err(err).Msg("access policy not reloaded, the former one holds")
				continue
			}
			e.log.Info().Str("profiles", strings.Join(policy.Set().Names(), " ")).Msg("access policy reloaded")
		}
	}()
	return func() {
		signal.Stop(hangup)
		cancel()
		<-done
	}
}

// profileName makes a profile's name of a file's.
func profileName(file string) string {
	base := filepath.Base(file)
	return strings.TrimSuffix(base, filepath.Ext(base))
}
