package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDenied(t *testing.T) {
	// The group of the files: never root's, to which nobody is to be added.
	gid := os.Getgid()
	if gid == 0 {
		gid = 54321
	}
	group := groupName(uint32(gid))
	stranger := who{name: "tops", uid: 60001, groups: []uint32{60001}}
	member := who{name: "tops", uid: 60001, groups: []uint32{60001, uint32(gid)}}
	owner := who{name: "tops", uid: uint32(os.Getuid())}
	for _, c := range []struct {
		name      string
		who       who
		dir, file os.FileMode
		socket    bool
		why, do   string
	}{
		{"a directory of the group", stranger, 0o750, 0o640, false, "dir belongs to user", "adduser tops " + group + ", then"},
		{"a cookie of the group", stranger, 0o755, 0o640, false, "cookie belongs to user", "adduser tops " + group + ", then"},
		{"a cookie of its owner", stranger, 0o755, 0o600, false, "cookie belongs to user", "let tops in: chmod g+r"},
		{"a member, and a cookie of its owner", member, 0o750, 0o600, false, "does not let its group", "chmod g+r"},
		{"a socket that a member may read only", member, 0o750, 0o640, true, "does not let its group", "chmod g+w"},
		{"all is well, but it was refused", member, 0o750, 0o640, false, "a security module (AppArmor)", "/etc/apparmor.d/local"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Directories above belong to the test, and let everybody through.
			top := t.TempDir()
			for d := top; strings.Contains(filepath.Base(filepath.Dir(d)), "Test"); d = filepath.Dir(d) {
				if err := os.Chmod(filepath.Dir(d), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			dir := filepath.Join(top, "dir")
			path := filepath.Join(dir, "cookie")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			for p, mode := range map[string]os.FileMode{dir: c.dir, path: c.file} {
				if err := os.Chown(p, -1, gid); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(p, mode); err != nil {
					t.Fatal(err)
				}
			}
			why, do := c.who.denied(path, c.socket)
			if !strings.Contains(why, c.why) || !strings.Contains(do, c.do) {
				t.Errorf("%q, %q: want %q, %q", why, do, c.why, c.do)
			}
			if owner.uid == 0 {
				return // root is never kept out by a mode
			}
			if why, _, barred := owner.barred(path, read); barred {
				t.Errorf("the owner is kept out: %s", why)
			}
		})
	}
}
