package proxy

import (
	"context"

	"github.com/el-tor/tops/controlspec"
)

// Engine is what stands behind the words of TOPS. Its methods are called from
// many sessions at once. Errors that are [*controlspec.ReplyError]s are
// answered to the controller in their words; of any other it learns only that
// something failed.
type Engine interface {
	// ExtendPaidCircuit builds a circuit along path (fingerprints in upper case)
	// and pays its relays on the account of c. It returns tor's circuit id as
	// soon as tor gives it.
	ExtendPaidCircuit(ctx context.Context, c Controller, path []string) (circID string, err error)

	// Info answers GETINFO tops/<key>. A value with line ends is sent as a data
	// block. ok false: no such key.
	Info(ctx context.Context, key string) (value string, ok bool, err error)

	// Subscribe has f called with every PAYSTREAM event until cancel, which need not
	// wait for a call that is under way. f does not block.
	Subscribe(f func(controlspec.PayStreamEvent)) (cancel func())
}

// SelfPayer is an Engine that takes El Tor's form of EXTENDPAIDCIRCUIT, in which
// the controller brings the hashes and pays itself.
type SelfPayer interface {
	ExtendSelfPaidCircuit(ctx context.Context, c Controller, hops []controlspec.PaidHop) (circID string, err error)
}

// Receiver is an Engine of a relay, which is told of accepted intents.
type Receiver interface {
	SubscribeReceived(f func(controlspec.ReceivedEvent)) (cancel func())
}

// HopTerms are the terms that the pay stream of one hop began with.
type HopTerms struct {
	Hop   int    // 1 is the guard
	Terms string // canonical line
}

// CircuitTerms knows the terms of paid circuits, for USEFEATURE PAYMENT_TERMS.
// It is asked for every CIRC EXTENDED and BUILT event, and must not block.
type CircuitTerms interface {
	CircuitTerms(circID string) []HopTerms
}

// Conf keeps the Payment options of El Tor, which stock tor does not know.
type Conf interface {
	// Get returns the option's name as it is properly spelt and its values; none:
	// the option is unset. ok false: there is no such option.
	Get(ctx context.Context, key string) (name string, values []string, ok bool)

	// Prepare checks changes and returns what puts them in force. It is called
	// before tor is told of the other options in the same command, commit after
	// tor has taken them.
	Prepare(ctx context.Context, c Controller, changes []controlspec.ConfChange) (commit func() error, err error)
}

// AttachChecker judges ATTACHSTREAM. An error is answered instead of asking tor:
// a stream that the exit of a paid circuit would refuse must not reach it, or
// tor would hold the refusal against an innocent exit until it restarts.
type AttachChecker interface {
	// CheckAttach must not block. hop is 0 for the last one.
	CheckAttach(streamID, circID string, hop int) error
}

// Upgrader turns a plain EXTENDCIRCUIT 0 into a paid circuit.
type Upgrader interface {
	// Upgrade returns upgraded false, without an error, for what should go to tor
	// as it is. path is as the controller wrote it, nil if tor is to choose.
	Upgrade(ctx context.Context, c Controller, path []string, purpose string) (circID string, upgraded bool, err error)
}
