//go:build !linux

package testnet

import (
	"errors"
	"net/netip"
	"syscall"
)

var errNoNamespace = errors.New("testnet: a private tor network needs Linux, for its network namespaces")

// Enter moves the process into a network namespace of its own, which only
// Linux has.
func Enter() error { return errNoNamespace }

// AddAddress gives the namespace's loopback interface another address.
func AddAddress(netip.Addr) error { return errNoNamespace }

func entered() bool { return false }

func childAttr() *syscall.SysProcAttr { return nil }
