package access

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// LocalUnix identifies a controller on a unix socket by what the kernel said of
// it when it connected.
func LocalUnix(pid int32, uid uint32) Identity {
	id := Identity{Local: true, UID: uid, User: userName(uid), Addr: loopback}
	id.lookAt(int(pid))
	return id
}

// LocalTCP identifies a controller on the loopback: its end of the connection
// is in /proc/net/tcp with the uid that owns it and an inode, which is among the
// descriptors of some process. Only the uid is sure: the process is looked for
// after it connected, and seeing those of other users takes root or
// CAP_SYS_PTRACE.
func LocalTCP(its, ours netip.AddrPort) (Identity, error) {
	s, err := socketOf(its, ours)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Local: true, UID: s.uid, User: userName(s.uid), Addr: its}
	if pid := processOf(s.inode); pid != 0 {
		id.lookAt(pid)
	}
	return id, nil
}

func (id *Identity) lookAt(pid int) {
	dir := "/proc/" + strconv.Itoa(pid)
	id.Exe, _ = os.Readlink(dir + "/exe") // not permitted: no profile by executable matches
	label, _ := os.ReadFile(dir + "/attr/current")
	name, mode, ok := strings.Cut(strings.TrimSpace(string(label)), " (")
	if ok && (mode == "enforce)" || mode == "complain)") {
		id.AppArmor = name
	}
}

type socket struct {
	uid   uint32
	inode uint64
}

var errNoSocket = errors.New("no such socket on this machine")

// socketOf finds the socket at local whose peer is remote; a remote that is not
// valid matches any. Sockets with other peers may have the same port and another
// owner: then it is nobody's.
func socketOf(local, remote netip.AddrPort) (socket, error) {
	return socketIn(local, remote, "/proc/net/tcp", "/proc/net/tcp6")
}

func socketIn(local, remote netip.AddrPort, tables ...string) (socket, error) {
	var all []socket
	for _, file := range tables {
		list, err := findSockets(file, local, remote)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return socket{}, err
		}
		all = append(all, list...)
	}
	if len(all) == 0 || slices.ContainsFunc(all, func(s socket) bool { return s.uid != all[0].uid }) {
		return socket{}, fmt.Errorf("%s: %w", local, errNoSocket)
	}
	return all[0], nil
}

func findSockets(file string, local, remote netip.AddrPort) (all []socket, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		w := strings.Fields(sc.Text())
		if len(w) < 10 || !same(w[1], local) || remote.IsValid() && !same(w[2], remote) {
			continue
		}
		uid, err1 := strconv.ParseUint(w[7], 10, 32)
		inode, err2 := strconv.ParseUint(w[9], 10, 64)
		if err1 == nil && err2 == nil && inode != 0 { // 0: closed already
			all = append(all, socket{uint32(uid), inode})
		}
	}
	return all, sc.Err()
}

// same compares an address as /proc/net/tcp writes it, 0100007F:1F90.
func same(field string, addr netip.AddrPort) bool {
	host, port, ok := strings.Cut(field, ":")
	n, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || uint16(n) != addr.Port() {
		return false
	}
	b, err := hex.DecodeString(host)
	if err != nil || len(b)%4 != 0 {
		return false
	}
	for i := 0; i < len(b); i += 4 { // words in the machine's order
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return ok && a.Unmap() == addr.Addr().Unmap()
}

// processOf finds a process that holds a socket; 0: none is seen.
func processOf(inode uint64) int {
	want := "socket:[" + strconv.FormatUint(inode, 10) + "]"
	procs, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, dir := range procs {
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if link, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && link == want {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
				return pid
			}
		}
	}
	return 0
}
