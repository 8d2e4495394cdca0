package gateway

import (
	"errors"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/el-tor/tops/paystream"
)

// Refusal is why the gateway said no, without a word on whom or what for.
type Refusal string

// The reasons of refusals.
const (
	RefusedUnpaid   Refusal = "unpaid"   // money is due first
	RefusedOver     Refusal = "over"     // the pay stream has ended
	RefusedUnknown  Refusal = "unknown"  // no such pay stream
	RefusedTerms    Refusal = "terms"    // the terms have changed
	RefusedRate     Refusal = "rate"     // too many connections or newcomers
	RefusedBusy     Refusal = "busy"     // the relay cannot serve now
	RefusedPolicy   Refusal = "policy"   // the exit policy, or an address that is nobody's to reach
	RefusedTarget   Refusal = "target"   // the target did not answer
	RefusedConflict Refusal = "conflict" // a hash or an id that is taken
	RefusedRequest  Refusal = "request"  // not the protocol
	RefusedFailed   Refusal = "failed"   // the relay's own trouble
	RefusedStranger Refusal = "stranger" // a connection that is not from our own tor
	RefusedRoom     Refusal = "room"     // nothing was paid for it when room was short
)

// Refusals lists every reason there is.
func Refusals() []Refusal {
	return []Refusal{RefusedUnpaid, RefusedOver, RefusedUnknown, RefusedTerms, RefusedRate, RefusedBusy, RefusedPolicy,
		RefusedTarget, RefusedConflict, RefusedRequest, RefusedFailed, RefusedStranger, RefusedRoom}
}

// Stats is what a gateway has done since it was made.
type Stats struct {
	Connections int   // open now, control connections included
	Tunnels     int64 // open now
	Tunnelled   int64 // bytes, both ways
	Refused     map[Refusal]int64
}

// stats counts. Its zero value is ready.
type stats struct {
	tunnels, tunnelled atomic.Int64

	mu      sync.Mutex
	refused map[Refusal]int64
}

// Stats is what the gateway has done.
func (s *Server) Stats() Stats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return Stats{Connections: s.room.len(), Tunnels: s.stats.tunnels.Load(), Tunnelled: s.stats.tunnelled.Load(),
		Refused: maps.Clone(s.stats.refused)}
}

func (s *stats) refuse(why Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = make(map[Refusal]int64)
	}
	s.refused[why]++
}

// refusal classes an error that is answered with a status.
func refusal(err error, status int, ours bool) Refusal {
	var demand *paystream.Demand
	switch {
	case !ours:
		return RefusedFailed
	case errors.As(err, &demand) && demand.DueMsat == 0:
		return RefusedOver
	}
	switch status {
	case http.StatusPaymentRequired:
		return RefusedUnpaid
	case http.StatusProxyAuthRequired:
		return RefusedUnknown
	case http.StatusPreconditionFailed:
		return RefusedTerms
	case http.StatusTooManyRequests:
		return RefusedRate
	case http.StatusServiceUnavailable:
		return RefusedBusy
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return RefusedTarget
	case http.StatusConflict:
		return RefusedConflict
	}
	if errors.Is(err, ErrPolicy) {
		return RefusedPolicy
	}
	return RefusedRequest
}
