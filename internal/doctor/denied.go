package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// who is somebody whom the kernel lets do things, or not.
type who struct {
	name   string
	uid    uint32
	groups []uint32
}

func me() who {
	w := who{name: "the user of tops", uid: uint32(os.Geteuid()), groups: []uint32{uint32(os.Getegid())}}
	if u, err := user.Current(); err == nil {
		w.name = u.Username
	}
	more, _ := os.Getgroups()
	for _, g := range more {
		w.groups = append(w.groups, uint32(g))
	}
	return w
}

// denied says why a file cannot be opened, or a socket not connected to, and what
// to do about it.
func denied(path string, socket bool) (why, do string) { return me().denied(path, socket) }

// Bits of a file's mode, for "others".
const (
	search  = 1
	write   = 2
	read    = 4
	toGroup = 3 // shift from others to the group
	toOwner = 6
)

func (w who) denied(path string, socket bool) (why, do string) {
	path, err := filepath.Abs(path)
	if err != nil {
		return err.Error(), ""
	}
	need := uint32(read)
	if socket {
		need = write
	}
	// From the root down: what stands in the way first is what to mend.
	dirs := []string{}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	slices.Reverse(dirs)
	for _, dir := range dirs {
		if why, do, in := w.barred(dir, search); in {
			return why, do
		}
	}
	if why, do, in := w.barred(path, need); in {
		return why, do
	}
	return "its owner, group and mode allow it, so a security module (AppArmor) or the service's own sandbox refuses it",
		"see `journalctl -k --grep DENIED`; then add " + path + " to the AppArmor profile that is named there (in /etc/apparmor.d/local), or to ReadWritePaths= of the service"
}

// barred reports whether a file or directory keeps somebody out.
func (w who) barred(path string, need uint32) (why, do string, yes bool) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf("%s cannot be looked at", path), "see who may enter " + filepath.Dir(path), true
	}
	if err != nil {
		return "", "", false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || w.uid == 0 {
		return "", "", false
	}
	mode := uint32(info.Mode().Perm())
	switch {
	case w.uid == st.Uid:
		yes = mode>>toOwner&need != need
		return fmt.Sprintf("%s is %s's own, but its mode is %#o", path, w.name, mode), fmt.Sprintf("chmod u+%s %s", letters(need), path), yes
	case slices.Contains(w.groups, st.Gid):
		yes = mode>>toGroup&need != need
	default:
		yes = mode&need != need
	}
	group := groupName(st.Gid)
	why = fmt.Sprintf("%s belongs to user %s and group %s, with mode %#o, and %s is neither", path, userName(st.Uid), group, mode, w.name)
	switch {
	case slices.Contains(w.groups, st.Gid):
		why = fmt.Sprintf("%s has mode %#o, which does not let its group %s in", path, mode, group)
		do = fmt.Sprintf("chmod g+%s %s", letters(need), path)
	case st.Gid == 0: // nobody should be added to root's
		do = fmt.Sprintf("give it to a group of %s's: chgrp, and chmod g+%s %s", w.name, letters(need), path)
	case mode>>toGroup&need == need:
		do = fmt.Sprintf("adduser %s %s, then log in again (or restart the service)", w.name, group)
	default:
		do = fmt.Sprintf("let %s in: chmod g+%s %s, and adduser %s %s", w.name, letters(need), path, w.name, group)
	}
	return why, do, yes
}

func letters(need uint32) string {
	var b strings.Builder
	for _, l := range []struct {
		bit  uint32
		name byte
	}{{read, 'r'}, {write, 'w'}, {search, 'x'}} {
		if need&l.bit != 0 {
			b.WriteByte(l.name)
		}
	}
	return b.String()
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
