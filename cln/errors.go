package cln

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Code is an error code of Core Lightning's, as its manual pages list them for each command.
type Code int

// The codes that are decided upon. Others stand for themselves.
const (
	CodeParams         Code = -32602 // the parameters are wrong
	CodeUnknownMethod  Code = -32601 // the node has no such command
	CodeStillPending   Code = -3     // xpay, pay: another attempt at the same invoice is under way
	CodeGeneric        Code = -1
	CodeDestination    Code = 203 // the payee refuses the payment
	CodeNoRoute        Code = 205
	CodeTooExpensive   Code = 206 // no route within maxfee
	CodeInvoiceExpired Code = 207
	CodePayment        Code = 209 // attempts were made, and failed
	CodePayTimeout     Code = 210 // the time was up, nothing is under way
	CodeAlreadyPaid    Code = 219 // xpay: it was paid before
	CodeLabelTaken     Code = 900
	CodeWaitExpired    Code = 903
	CodeWaitTimeout    Code = 904 // waitanyinvoice: none was paid in time
	CodeNoInvoice      Code = 905 // delinvoice: no such label
	CodeInvoiceStatus  Code = 906 // delinvoice: the invoice has another status
	CodeOfferExists    Code = 1000
	CodeOfferInactive  Code = 1001 // disableoffer: it is disabled
	CodeOfferExpired   Code = 1002
	CodeOfferNoRoute   Code = 1003 // fetchinvoice: the payee cannot be reached
	CodeOfferRefused   Code = 1004 // fetchinvoice: the payee's node said no
	CodeFetchTimeout   Code = 1005 // fetchinvoice: no answer; the same request may be repeated
	CodeOfferActive    Code = 1006 // enableoffer: it is enabled
)

func (c Code) String() string {
	if name, ok := codeNames[c]; ok {
		return fmt.Sprintf("%s (%d)", name, int(c))
	}
	return fmt.Sprintf("error %d", int(c))
}

var codeNames = map[Code]string{
	CodeParams: "wrong parameters", CodeUnknownMethod: "unknown command", CodeStillPending: "still pending",
	CodeDestination: "refused by the payee", CodeNoRoute: "no route", CodeTooExpensive: "no route within the fee",
	CodeInvoiceExpired: "invoice expired", CodePayment: "payment failed", CodePayTimeout: "payment timed out",
	CodeAlreadyPaid: "paid already", CodeLabelTaken: "label taken", CodeWaitExpired: "expired while waiting",
	CodeWaitTimeout: "nothing paid in time", CodeNoInvoice: "no such invoice", CodeInvoiceStatus: "invoice has another status",
	CodeOfferExists: "offer exists, disabled", CodeOfferInactive: "offer is disabled", CodeOfferExpired: "offer expired",
	CodeOfferNoRoute: "no route to the offer's node", CodeOfferRefused: "invoice request refused",
	CodeFetchTimeout: "no answer to the invoice request", CodeOfferActive: "offer is enabled",
}

// Error is the node's own answer that a command failed.
type Error struct {
	Method  string
	Code    Code
	Message string
	Data    json.RawMessage // what some commands add; may be nil
}

// Error says what failed and why, without the long words of the node's message: those are invoices, hashes and requests,
// which hold what must not reach a log.
func (e *Error) Error() string {
	s := fmt.Sprintf("lightning: %s: %s: %s", e.Method, e.Code, shorten(e.Message))
	if why := e.reason(); why != "" {
		s += ": " + shorten(why)
	}
	return s
}

// reason is what the payee's node gave as its reason: data.error of fetchinvoice.
func (e *Error) reason() string {
	var d struct{ Error string }
	if json.Unmarshal(e.Data, &d) != nil {
		return ""
	}
	return d.Error
}

// Of a call that got no answer.
var (
	// ErrUnreachable: the node was not asked; nothing happened.
	ErrUnreachable = errors.New("lightning: the node cannot be reached")
	// ErrNoAnswer: the node was asked, and may do what it was asked to.
	ErrNoAnswer = errors.New("lightning: the node was asked and did not answer")
)

// HasCode reports whether err is, or wraps, the node's error with this code.
func HasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// shorten cuts each word of a message to a length that holds no secret, and the message to what a log line takes.
func shorten(s string) string {
	const word, line = 24, 240
	words := strings.Fields(s)
	for i, w := range words {
		if len(w) > word {
			words[i] = cut(w, 12) + "…"
		}
	}
	if s = strings.Join(words, " "); len(s) > line {
		s = cut(s, line) + "…"
	}
	return s
}

// cut takes at most n bytes off the front, whole runes only.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
