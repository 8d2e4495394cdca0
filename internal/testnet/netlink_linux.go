package testnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// addLoopbackAddress asks the kernel by one rtnetlink message, RTM_NEWADDR
// (rtnetlink(7)), and reads its acknowledgement.
func addLoopbackAddress(addr netip.Addr) error {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	if err := unix.Sendto(fd, newAddrMessage(lo.Index, addr), 0, kernel); err != nil {
		return err
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return err
	}
	return acknowledged(answer[:n])
}

// newAddrMessage lays out nlmsghdr, ifaddrmsg and the attributes IFA_LOCAL and
// IFA_ADDRESS.
func newAddrMessage(index int, addr netip.Addr) []byte {
	order := binary.NativeEndian
	family, scopeUniverse := byte(unix.AF_INET), byte(0)
	if addr.Is6() {
		family = unix.AF_INET6
	}
	flags := byte(unix.IFA_F_PERMANENT | unix.IFA_F_NODAD)

	body := []byte{family, byte(addr.BitLen()), flags, scopeUniverse}
	body = order.AppendUint32(body, uint32(index))
	for _, attribute := range []uint16{unix.IFA_LOCAL, unix.IFA_ADDRESS} {
		value := addr.AsSlice()
		body = order.AppendUint16(body, uint16(unix.SizeofRtAttr+len(value)))
		body = order.AppendUint16(body, attribute)
		body = append(body, value...)
	}

	message := order.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	message = order.AppendUint16(message, unix.RTM_NEWADDR)
	message = order.AppendUint16(message, unix.NLM_F_REQUEST|unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	message = order.AppendUint32(message, 1) // sequence
	message = order.AppendUint32(message, 0) // from: let the kernel fill it in
	return append(message, body...)
}

// acknowledged reads an NLMSG_ERROR message, whose first word is 0 or a
// negative errno.
func acknowledged(answer []byte) error {
	order := binary.NativeEndian
	if len(answer) < unix.NLMSG_HDRLEN+4 {
		return errors.New("the kernel's answer is short")
	}
	if kind := order.Uint16(answer[4:]); kind != unix.NLMSG_ERROR {
		return fmt.Errorf("the kernel answered with message type %d", kind)
	}
	if code := int32(order.Uint32(answer[unix.NLMSG_HDRLEN:])); code != 0 {
		return unix.Errno(-code)
	}
	return nil
}
