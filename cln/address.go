package cln

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Addresses asks Lightning Addresses (LUD-16) for invoices, over connections that Dial makes: through Tor, so that the
// address's server does not see who pays. It speaks https, and http to onion services; it follows no redirect, and takes
// 64 KiB and 10 s at most.
//
// What an address loses against an offer: its server learns of every payment, it can only carry a note if it allows
// comments of 64 characters (LUD-12), and asking twice makes two invoices.
type Addresses struct {
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	RootCAs *x509.CertPool // nil: the system's
}

const (
	addressTimeout = 10 * time.Second
	addressLimit   = 64 << 10
)

// An AddressError is what an address's server answered instead of an invoice.
type AddressError struct{ Reason string }

func (e *AddressError) Error() string { return "lightning address: " + shorten(e.Reason) }

// payRequest is the first answer of LUD-06, as LUD-16 has it.
type payRequest struct {
	Tag            string
	Callback       string
	MinSendable    int64 // msat
	MaxSendable    int64
	Metadata       string
	CommentAllowed int64
	Status, Reason string
}

// Invoice asks for a BOLT11 invoice over an amount, with a comment. The invoice must commit to descriptionHash, in hex:
// that is for the caller to check, who can decode it.
func (a *Addresses) Invoice(ctx context.Context, address string, amountMsat int64, comment string) (bolt11, descriptionHash string, err error) {
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	where, err := addressURL(address)
	if err != nil {
		return "", "", err
	}
	c := a.client() // one for both questions, so that a circuit is made once
	defer c.CloseIdleConnections()
	var p payRequest
	if err := get(ctx, c, where, &p); err != nil {
		return "", "", err
	}
	callback, err := p.check(amountMsat, comment)
	if err != nil {
		return "", "", err
	}
	var inv struct{ PR, Status, Reason string }
	if err := get(ctx, c, callback, &inv); err != nil {
		return "", "", err
	}
	if inv.Status == "ERROR" || inv.PR == "" {
		return "", "", &AddressError{"no invoice: " + inv.Reason}
	}
	hash := sha256.Sum256([]byte(p.Metadata))
	return inv.PR, hex.EncodeToString(hash[:]), nil
}

// check holds the answer to what is wanted, and returns where to ask for the invoice.
func (p payRequest) check(amountMsat int64, comment string) (*url.URL, error) {
	switch {
	case p.Status == "ERROR":
		return nil, &AddressError{p.Reason}
	case p.Tag != "payRequest":
		return nil, &AddressError{"not a payRequest"}
	case amountMsat < p.MinSendable || amountMsat > p.MaxSendable:
		return nil, &AddressError{fmt.Sprintf("it takes %d to %d msat, not %d", p.MinSendable, p.MaxSendable, amountMsat)}
	case int64(len(comment)) > p.CommentAllowed:
		return nil, &AddressError{fmt.Sprintf("it allows comments of %d characters, the note has %d", p.CommentAllowed, len(comment))}
	}
	u, err := url.Parse(p.Callback)
	if err != nil || !allowed(u) {
		return nil, &AddressError{"its callback is no https address"}
	}
	q := u.Query()
	q.Set("amount", strconv.FormatInt(amountMsat, 10))
	if comment != "" {
		q.Set("comment", comment)
	}
	u.RawQuery = q.Encode()
	return u, nil
}

// addressURL is where LUD-16 puts the address user@domain.
func addressURL(address string) (*url.URL, error) {
	user, domain, ok := strings.Cut(address, "@")
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	if !ok || user == "" || len(address) > 320 || strings.Trim(user, letters) != "" {
		return nil, &AddressError{fmt.Sprintf("%q is not user@domain", cut(address, 64))}
	}
	u := &url.URL{Scheme: "https", Host: domain, Path: "/.well-known/lnurlp/" + user}
	if strings.HasSuffix(domain, ".onion") {
		u.Scheme = "http"
	}
	if !allowed(u) {
		return nil, &AddressError{fmt.Sprintf("%q has no domain", cut(address, 64))}
	}
	return u, nil
}

// allowed says where a request may go: https to a name, http to an onion service, nothing with a password in it.
func allowed(u *url.URL) bool {
	host := u.Hostname()
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	top := host[strings.LastIndexByte(host, '.')+1:]
	if u.User != nil || u.Opaque != "" || strings.Trim(host, letters+digits+"-.") != "" {
		return false
	}
	if top == host || strings.Trim(top, digits) == "" { // a name of the local network, or an address, 127.1 too
		return false
	}
	onion := strings.HasSuffix(host, ".onion")
	return u.Scheme == "https" || u.Scheme == "http" && onion
}

func (a *Addresses) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: a.Dial, MaxResponseHeaderBytes: addressLimit, MaxIdleConnsPerHost: 1, IdleConnTimeout: addressTimeout,
			TLSClientConfig: &tls.Config{RootCAs: a.RootCAs, MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func get(ctx context.Context, c *http.Client, u *url.URL, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return &AddressError{"its address is malformed"}
	}
	req.Header.Set("User-Agent", "") // none
	rsp, err := c.Do(req)
	if err != nil {
		if e := new(url.Error); errors.As(err, &e) {
			err = e.Err // without the URL: it holds the note
		}
		return fmt.Errorf("lightning address: its server does not answer: %w", err)
	}
	defer rsp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(rsp.Body, addressLimit+1))
	switch {
	case err != nil:
		return fmt.Errorf("lightning address: its server does not answer: %w", err)
	case len(b) > addressLimit:
		return &AddressError{"its answer is too long"}
	case rsp.StatusCode >= 300 && rsp.StatusCode < 400:
		return &AddressError{"it redirects"}
	case json.Unmarshal(b, v) != nil:
		return &AddressError{fmt.Sprintf("its answer, status %d, is not JSON", rsp.StatusCode)}
	}
	return nil
}
