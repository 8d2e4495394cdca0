//go:build !linux

package gateway

import (
	"io"
	"net"
	"syscall"
)

// arrived waits until bytes can be read from c without waiting, and returns how
// many they are, as far as a look of 16 KiB shows.
func arrived(c *net.TCPConn) (int64, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var failed error
	buf := make([]byte, 16<<10)
	err = raw.Read(func(fd uintptr) bool {
		n, _, failed = syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK)
		return failed != syscall.EAGAIN
	})
	if err == nil {
		err = failed
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	return int64(n), err
}
