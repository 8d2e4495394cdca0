package proxy

import (
	"fmt"
	"net"
)

// Controller is who is at the other end of one connection.
type Controller struct {
	ID     uint64 // of the connection, unique within a Server
	Remote string // address; empty on unix sockets
	Peer   *Peer  // on unix sockets, what the kernel says
	Local  string // what it connected to: "host:port", or the path of a unix socket

	Profile string // of Access that it is held to; empty: none
}

// Peer are the credentials of a process at the time it connected.
type Peer struct {
	PID      int32
	UID, GID uint32
}

// String names the controller for logs and budgets' books.
func (c Controller) String() string {
	if c.Peer != nil {
		return fmt.Sprintf("controller %d (uid %d, pid %d)", c.ID, c.Peer.UID, c.Peer.PID)
	}
	return fmt.Sprintf("controller %d (%s)", c.ID, c.Remote)
}

// Account is in whose name the controller spends: that of its access profile, else
// its user's or its machine's. A new connection must not be a new budget.
func (c Controller) Account() string {
	if c.Profile != "" {
		return c.Profile
	}
	if c.Peer != nil {
		return fmt.Sprintf("uid %d", c.Peer.UID)
	}
	host, _, err := net.SplitHostPort(c.Remote)
	if err != nil {
		return c.Remote
	}
	return host
}

func newController(id uint64, conn net.Conn) Controller {
	c := Controller{ID: id, Peer: peerOf(conn)}
	if a := conn.LocalAddr(); a != nil {
		c.Local = a.String()
	}
	if a := conn.RemoteAddr(); c.Peer == nil && a != nil {
		c.Remote = a.String()
	}
	return c
}
