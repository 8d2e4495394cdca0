package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ListenOptions say who may reach a listener.
type ListenOptions struct {
	// Mode of a unix socket; 0 means 0600.
	Mode fs.FileMode
	// Group that a unix socket is given to, by name or number; empty: as created.
	Group string
	// AllowRemote lets a TCP listener have an address that other machines reach.
	AllowRemote bool
}

// Listen listens on "host:port" or "unix:PATH", or takes over what systemd
// listens on under the name of "systemd:NAME" (FileDescriptorName=, or the socket
// unit's name). A unix socket that a dead process left is replaced, one that
// answers is not; it has its mode from the first moment. A socket of systemd's
// has the mode that its unit says.
func Listen(addr string, o ListenOptions) (net.Listener, error) {
	ln, err := listen(addr, o)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", addr, err)
	}
	return ln, nil
}

func listen(addr string, o ListenOptions) (net.Listener, error) {
	if name, ok := strings.CutPrefix(addr, "systemd:"); ok {
		return fromSystemd(name, o)
	}
	network, addr, err := splitAddr(addr)
	if err != nil {
		return nil, err
	}
	if network == "unix" {
		return listenUnix(addr, o)
	}
	tcp, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := checkLocal(tcp, o); err != nil {
		return nil, err
	}
	return net.ListenTCP("tcp", tcp)
}

func checkLocal(addr net.Addr, o ListenOptions) error {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && !o.AllowRemote {
		return errors.New("the address is not on the loopback, and whoever reaches it has all that it gives: ?remote=true behind it allows that")
	}
	return nil
}

func listenUnix(path string, o ListenOptions) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	mode := o.Mode.Perm()
	if mode == 0 {
		mode = 0o600
	}
	// The mode of the descriptor becomes the file's when it is bound, so there is
	// no moment in which others may connect.
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode)) }); cerr != nil {
			return cerr
		}
		return err
	}}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := giveTo(path, mode, o.Group); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// giveTo sets group and then mode, which the umask may have narrowed.
func giveTo(path string, mode fs.FileMode, group string) error {
	if group != "" {
		gid, err := strconv.Atoi(group)
		if err != nil {
			g, err := user.LookupGroup(group)
			if err != nil {
				return err
			}
			if gid, err = strconv.Atoi(g.Gid); err != nil {
				return err
			}
		}
		if err := os.Chown(path, -1, gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode)
}

// removeStale removes a socket at which nobody answers.
func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if fi.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is not a socket")
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return errors.New("another process listens there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// Dialer returns a Server.Dial for "host:port" or "unix:PATH" that tries again,
// ever more slowly, until its context ends: tor may be starting.
func Dialer(addr string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		network, addr, err := splitAddr(addr)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
			conn, err := d.DialContext(ctx, network, addr)
			if err == nil {
				return conn, nil
			}
			select {
			case <-ctx.Done():
				return nil, err
			case <-time.After(pause):
			}
		}
	}
}

func splitAddr(addr string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if path == "" || path[0] == '@' {
			return "", "", errors.New("a unix socket needs a path")
		}
		return "unix", path, nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return "", "", fmt.Errorf("neither host:port nor unix:PATH: %w", err)
	}
	return "tcp", addr, nil
}
