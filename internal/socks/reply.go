package socks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
)

// Reply is the REP field of RFC 1928 §6. It is an error, so that a handler can
// say exactly what the app shall read.
type Reply byte

// The replies of RFC 1928 §6.
const (
	Succeeded          Reply = 0x00
	GeneralFailure     Reply = 0x01
	NotAllowed         Reply = 0x02
	NetworkUnreachable Reply = 0x03
	HostUnreachable    Reply = 0x04
	ConnectionRefused  Reply = 0x05
	TTLExpired         Reply = 0x06 // tor's for a timeout
	CommandUnsupported Reply = 0x07
	AddressUnsupported Reply = 0x08
)

func (r Reply) Error() string {
	names := [...]string{"succeeded", "general failure", "not allowed by the rules", "network unreachable", "host unreachable",
		"connection refused", "timed out", "command not supported", "address type not supported"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("SOCKS reply %#02x", byte(r))
}

// httpStatus says the same to a client that speaks HTTP.
func (r Reply) httpStatus() int {
	switch r {
	case NotAllowed:
		return http.StatusForbidden
	case TTLExpired:
		return http.StatusGatewayTimeout
	case CommandUnsupported:
		return http.StatusMethodNotAllowed
	case AddressUnsupported:
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

// replyTo finds the reply for a handler's error.
func (s *Server) replyTo(err error) Reply {
	var r Reply
	var timeout net.Error
	switch {
	case errors.As(err, &r) && r != Succeeded:
		return r
	case s.Reply != nil:
		if r := s.Reply(err); r != Succeeded {
			return r
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return TTLExpired
	case errors.Is(err, syscall.ECONNREFUSED):
		return ConnectionRefused
	case errors.Is(err, syscall.EHOSTUNREACH):
		return HostUnreachable
	case errors.Is(err, syscall.ENETUNREACH):
		return NetworkUnreachable
	}
	return GeneralFailure
}
