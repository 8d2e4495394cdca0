package access_test

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/el-tor/tops/policies/access"
)

// Two connections to different ports may begin at the same one, and be of two users.
func TestSharedPortIsNobodys(t *testing.T) {
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	row := func(uid, inode int) string {
		return fmt.Sprintf("   0: 0100007F:1F90 0100007F:235A 01 00000000:00000000 00:00000000 00000000 %5d        0 %d 1\n", uid, inode)
	}
	local := netip.MustParseAddrPort("127.0.0.1:8080")
	for _, tc := range []struct {
		tcp, tcp6 string
		owned     bool
	}{
		{row(1000, 7), "", true},
		{row(1000, 7) + row(1000, 8), "", true},
		{row(1000, 7) + row(0, 0), "", true}, // closed already
		{row(1000, 7) + row(1001, 8), "", false},
		{row(1000, 7), row(1001, 8), false},
	} {
		dir := write(t, map[string]string{"tcp": head + tc.tcp, "tcp6": head + tc.tcp6})
		uid, err := access.OwnerIn(local, filepath.Join(dir, "tcp"), filepath.Join(dir, "tcp6"))
		if (err == nil) != tc.owned || tc.owned && uid != 1000 {
			t.Errorf("%q and %q: uid %d, %v", tc.tcp, tc.tcp6, uid, err)
		}
	}
}
