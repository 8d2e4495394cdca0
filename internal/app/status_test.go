package app

import (
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/el-tor/tops/internal/fault"
)

func TestNotAnswered(t *testing.T) {
	for _, tt := range []struct {
		errno syscall.Errno
		class fault.Class
		says  string
	}{
		{syscall.ENOENT, fault.NotRunning, "start it"},
		{syscall.ECONNREFUSED, fault.NotRunning, "start it"},
		{syscall.EACCES, fault.Permission, "the user who runs it"},
	} {
		dial := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", tt.errno)}
		err := notAnswered(&url.Error{Op: "Get", URL: "http://tops/status", Err: dial})
		if fault.Of(err) != tt.class || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "http:") {
			t.Errorf("%v: %q, class %v", tt.errno, err, fault.Of(err))
		}
	}
}
