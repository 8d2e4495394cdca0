package gateway

import (
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

// resolvConf is the system's list of name servers (resolv.conf(5)), read again
// when the file has changed.
type resolvConf struct {
	path string

	mu     sync.Mutex
	looked time.Time
	wrote  time.Time
	list   []netip.AddrPort
}

// maxServers is how many of them are asked, as in the C library.
const maxServers = 3

func (r *resolvConf) servers() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list != nil && time.Since(r.looked) < 5*time.Second {
		return r.list
	}
	r.looked = time.Now()
	info, err := os.Stat(r.path)
	if err == nil && r.list != nil && info.ModTime().Equal(r.wrote) {
		return r.list
	}
	text, _ := os.ReadFile(r.path) // without it the server is this machine, as for everybody
	if err == nil {
		r.wrote = info.ModTime()
	}
	r.list = parseResolvConf(string(text))
	return r.list
}

func parseResolvConf(text string) (list []netip.AddrPort) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" || len(list) == maxServers {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			list = append(list, netip.AddrPortFrom(a, 53))
		}
	}
	if list == nil {
		list = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}
	}
	return list
}
