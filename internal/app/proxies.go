package app

import (
	"os"
	"slices"

	"github.com/el-tor/tops/proxy"
)

// makeProxies makes the server for each listener of the proxy: one that leaves
// authentication to tor, or one that does it itself.
func (a *App) makeProxies() error {
	pass := a.proxy()
	own := a.proxy()
	if slices.Contains(a.own, true) {
		uid := uint32(os.Geteuid())
		own.Auth = &proxy.Auth{AllowPeer: func(p proxy.Peer) bool { return p.UID == uid }}
		if file := a.cfg.Proxy.CookieFile; file != "" {
			cookie, err := proxy.NewCookie(file, 0)
			if err != nil {
				return err
			}
			own.Auth.CookieFile, own.Auth.Cookie = file, cookie
			a.cookieFile = file
		}
		o, err := TorOptions(a.cfg)
		if err != nil {
			return err
		}
		own.Login = proxy.Login{CookieFile: o.CookieFile, Password: o.Password}
	}
	for _, mine := range a.own {
		if mine {
			a.proxies = append(a.proxies, own)
		} else {
			a.proxies = append(a.proxies, pass)
		}
	}
	return nil
}
