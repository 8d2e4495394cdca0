package proxy

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
)

// firstPassed is the first descriptor that systemd passes, sd_listen_fds(3).
const firstPassed = 3

// fromSystemd takes over the socket that systemd passed under name. It makes a
// file of this descriptor alone: a file of each would close the others when it
// is collected.
func fromSystemd(name string, o ListenOptions) (net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("systemd passed no sockets to this process")
	}
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil {
		return nil, errors.New("LISTEN_FDS is no number")
	}
	for i, n := range strings.Split(os.Getenv("LISTEN_FDNAMES"), ":") {
		if n != name || i >= count {
			continue
		}
		f := os.NewFile(uintptr(firstPassed+i), name)
		ln, err := net.FileListener(f) // has a descriptor of its own
		f.Close()
		if err != nil {
			return nil, err
		}
		if err := checkLocal(ln.Addr(), o); err != nil {
			ln.Close()
			return nil, err
		}
		return ln, nil
	}
	return nil, errors.New("systemd passed no socket of this name")
}
