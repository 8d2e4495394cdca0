package clnsim

import (
	"encoding/json"
	"fmt"
)

// Error codes of Core Lightning and of JSON-RPC, as far as the simulator answers with them.
const (
	codeNoName         = -32700 // fetchbip353
	codeParams         = -32602
	codeUnknownMethod  = -32601
	codeInvalidRequest = -32600
	codeStillPending   = -3
	codeGeneric        = -1
	codeDestination    = 203 // the payee refuses
	codeNoRoute        = 205
	codeTooExpensive   = 206
	codeInvoiceExpired = 207
	codePayment        = 209 // attempts were made and failed
	codeAlreadyPaid    = 219
	codeLabelTaken     = 900
	codeWaitExpired    = 903
	codeWaitTimeout    = 904
	codeNoLabel        = 905
	codeWrongStatus    = 906
	codeOfferExists    = 1000
	codeOfferInactive  = 1001
	codeOfferExpired   = 1002
	codeNoRouteOffer   = 1003
	codeOfferRefused   = 1004
	codeFetchTimeout   = 1005
	codeOfferActive    = 1006
)

// rpcError is an error as it goes over the socket.
type rpcError struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return fmt.Sprintf("%s (%d)", e.Message, e.Code) }

func errorf(code int, format string, args ...any) *rpcError {
	return &rpcError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// with adds the data member; v is one that always encodes.
func (e *rpcError) with(v any) *rpcError {
	e.Data, _ = json.Marshal(v)
	return e
}
