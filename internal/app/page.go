package app

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/proxy"
)

// listenPage opens the port of the status page. Where nobody has asked for one, a
// second tops on the machine goes without.
func (a *App) listenPage() error {
	cfg := a.cfg.Web
	if cfg.Listen == "" {
		return nil
	}
	ln, err := proxy.Listen(cfg.Listen, proxy.ListenOptions{AllowRemote: cfg.AllowRemote})
	if errors.Is(err, syscall.EADDRINUSE) && cfg.Listen == config.DefaultWebListen {
		a.log.Warn().Msg("no status page: another program has " + cfg.Listen + "; set web.listen to have one")
		return nil
	}
	if err != nil {
		return fmt.Errorf("web.listen: %w", err)
	}
	a.page, a.listening = ln, append(a.listening, ln)
	return nil
}

// pageAddress is where the page can be opened; empty if it cannot.
func (a *App) pageAddress() string {
	switch {
	case a.page == nil:
		return ""
	case strings.HasPrefix(a.cfg.Web.Listen, "unix:"):
		return a.cfg.Web.Listen
	}
	if _, ok := a.page.Addr().(*net.TCPAddr); !ok {
		return a.cfg.Web.Listen
	}
	return "http://" + a.page.Addr().String() + "/"
}
