package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/internal/setup"
	"github.com/el-tor/tops/policies/access"
	"github.com/el-tor/tops/proxy"
	"golang.org/x/sync/errgroup"
)

// proxyFlags are those of every subcommand that runs a proxy alone.
type proxyFlags struct {
	Listen       []string      `required:"" placeholder:"ADDR" help:"Where controllers connect: host:port, unix:PATH or systemd:NAME, with options behind: unix:PATH?mode=0660&group=NAME&auth=own; may repeat."`
	Upstream     string        `placeholder:"ADDR" help:"tor's control port; unix:/run/tor/control or 127.0.0.1:9051 if not given."`
	Auth         string        `enum:"pass,own" default:"pass" help:"Who authenticates controllers: tor (pass) or tops (own)."`
	Cookie       string        `type:"path" placeholder:"FILE" help:"With --auth own: the cookie file to write for controllers."`
	Mode         string        `default:"0600" placeholder:"MODE" help:"Mode of unix sockets (${default})."`
	Group        string        `placeholder:"NAME" help:"Group of unix sockets."`
	AllowRemote  bool          `help:"Allow listeners that other machines reach; only with a policy."`
	StallTimeout time.Duration `default:"5m" placeholder:"TIME" help:"Disconnect a controller that reads nothing of what it is sent for so long (${default}); 0s: never."`
}

// proxyCmd runs the control-port proxy with no wallet and no configuration.
type proxyCmd struct {
	proxyFlags
	Policy []string `type:"path" placeholder:"FILE" help:"Access profiles, or directories of them; may repeat. Reloaded on SIGHUP."`
}

func (c *proxyCmd) Run(e *env) error {
	if len(c.Policy) == 0 {
		if err := c.localOnly("without --policy it"); err != nil {
			return err
		}
	}
	srv, err := c.server(e)
	if err != nil {
		return err
	}
	if len(c.Policy) > 0 {
		policy, err := access.Open(c.Policy...)
		if err != nil {
			return fault.Mark(fault.Usage, err)
		}
		srv.Access = proxy.Profiles{Policy: policy}
		defer reloadOnHangup(e, policy)()
	}
	return c.serve(e, srv)
}

// listeners are what --listen names.
func (c *proxyFlags) listeners() (list []proxy.Listener, err error) {
	defaults := proxy.Listener{Own: c.Auth == "own", ListenOptions: proxy.ListenOptions{Group: c.Group, AllowRemote: c.AllowRemote}}
	mode, err := strconv.ParseUint(c.Mode, 8, 9)
	if err != nil {
		return nil, wrong("mode %q is not an octal number such as 0660", c.Mode)
	}
	defaults.Mode = os.FileMode(mode)
	for _, s := range c.Listen {
		l, err := proxy.ParseListener(s, defaults)
		if err != nil {
			return nil, fault.Mark(fault.Usage, err)
		}
		list = append(list, l)
	}
	return list, nil
}

// localOnly refuses listeners that other machines reach.
func (c *proxyFlags) localOnly(why string) error {
	list, err := c.listeners()
	for _, l := range list {
		if l.AllowRemote {
			return wrong("listener %s for other machines: %s would give them all of tor", l.Addr, why)
		}
	}
	return err
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
	list, err := c.listeners()
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(list, func(l proxy.Listener) bool { return l.Own }) {
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
	list, err := c.listeners()
	if err != nil {
		return err
	}
	pass := srv.Pass()
	var listeners []net.Listener
	var servers []*proxy.Server
	for _, l := range list {
		ln, err := l.Listen()
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return err
		}
		if servers = append(servers, pass); l.Own {
			servers[len(servers)-1] = srv
		}
		e.log.Info().Stringer("addr", ln.Addr()).Msg("controllers may connect")
		listeners = append(listeners, ln)
	}
	g, ctx := errgroup.WithContext(e.ctx)
	for i, ln := range listeners {
		g.Go(func() error { return servers[i].Serve(ctx, ln) })
	}
	if srv.Auth != nil && c.Cookie != "" {
		defer os.Remove(c.Cookie)
	}
	notifyReady(e, func(ctx context.Context) error { return ctx.Err() }) // tor may be away: we live
	return g.Wait()
}

// reloadOnHangup reloads a policy on SIGHUP, all or nothing, until stop.
func reloadOnHangup(e *env, policy *access.Policy) (stop func()) {
	return onHangup(e, func(context.Context) {
		if err := policy.Reload(); err != nil {
			e.log.Error().Err(err).Msg("access policy not reloaded, the former one holds")
			return
		}
		e.log.Info().Str("profiles", strings.Join(policy.Set().Names(), " ")).Msg("access policy reloaded")
	})
}

// onHangup does something at each SIGHUP until stop.
func onHangup(e *env, do func(context.Context)) (stop func()) {
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
				do(ctx)
			}
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
