package testnet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// nsEnv holds the name of the namespace that Enter made, so that the program,
// executed again, and its children know that they are there already.
const nsEnv = "TOPS_NETNS"

// Enter moves the whole process into a network namespace of its own, with the
// loopback interface up, and returns there. It executes the program again in
// place, so whatever ran before the call runs twice. In a process that is in
// such a namespace already it does nothing.
//
// It needs Linux and root (CAP_SYS_ADMIN).
func Enter() error {
	if entered() {
		return nil
	}
	// A namespace belongs to a thread until execve, which ends all threads but
	// the calling one and keeps what that one has.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("testnet: making a network namespace: %w: run as root (sudo), in a container with CAP_SYS_ADMIN", err)
		}
		return fmt.Errorf("testnet: making a network namespace: %w: the kernel must have network namespaces", err)
	}
	if err := raiseLoopback(); err != nil {
		return err
	}
	name, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("testnet: naming the network namespace: %w", err)
	}
	if err := os.Setenv(nsEnv, name); err != nil {
		return fmt.Errorf("testnet: %w", err)
	}
	err = syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	return fmt.Errorf("testnet: executing the program again: %w", err)
}

// entered reports whether the process lives in a namespace that Enter made. The
// thread is asked, since /proc/self is the first one's, which may have made an
// [Outside] and have stayed there.
func entered() bool {
	name, err := os.Readlink("/proc/thread-self/ns/net")
	return err == nil && name == os.Getenv(nsEnv)
}

func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("testnet: raising lo: %w", err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("testnet: raising lo: %w", err)
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("testnet: raising lo: %w", err)
	}
	return nil
}

// AddAddress gives the namespace's loopback interface another address, as a
// host alone (/32 or /128). An address that is there already is no error. It
// refuses to touch the machine's own loopback: call [Enter] first.
func AddAddress(addr netip.Addr) error {
	if !entered() {
		return errors.New("testnet: adding an address: not in a namespace of our own; call Enter first")
	}
	if !addr.IsValid() {
		return errors.New("testnet: adding an address: it is not valid")
	}
	err := addLoopbackAddress(addr)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("testnet: adding address %s to lo: %w", addr, err)
	}
	return nil
}

// childAttr makes the kernel kill a child when the thread that forked it ends.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
