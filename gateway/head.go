package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxHead bounds a start line and its fields together; maxBody what follows
// them. Nothing in the protocol comes near either.
const (
	maxHead = 8 << 10
	maxBody = 64 << 10
)

// What may be wrong with a message before anybody looks at what it says.
var (
	errHeadTooLarge = errors.New("the head is longer than 8 KiB")
	errBodyTooLarge = errors.New("the body is longer than 64 KiB")
	errVersion      = errors.New("version 1.1 of HTTP is the only one spoken here")
)

// head is the start line of a message and the few fields that mean anything in
// this protocol (RFC 9112). Others are checked for form and forgotten.
type head struct {
	start  [3]string // method, target, version; or version, status, reason
	length int       // Content-Length, -1 if there is none
	fields map[string]string
}

// kept are the fields whose value is used; each may appear once.
var kept = map[string]bool{
	"host": true, "content-length": true, "connection": true, "transfer-encoding": true, "expect": true,
	"authorization": true, "proxy-authorization": true, "retry-after": true,
}

// readHead reads one head, strictly: CRLF ends a line, single spaces part the
// start line, no folded fields, no Transfer-Encoding, one Content-Length. Two
// readers that are lenient in different ways are how requests get smuggled.
func readHead(br *bufio.Reader) (head, error) {
	h := head{length: -1}
	left := maxHead
	line, err := readLine(br, &left)
	if err != nil {
		return h, err
	}
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || !visible(line, false) {
		return h, malformed("the start line")
	}
	h.start = [3]string(parts)
	for {
		line, err := readLine(br, &left)
		if err != nil {
			return h, err
		}
		if line == "" {
			return h, h.checkFraming()
		}
		if err := h.add(line); err != nil {
			return h, err
		}
	}
}

func (h *head) add(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) { // a folded line begins with a space, which is no token
		return malformed("a field's name")
	}
	if !visible(value, true) {
		return malformed("a field's value")
	}
	name = strings.ToLower(name)
	if !kept[name] {
		return nil
	}
	if _, twice := h.fields[name]; twice {
		return malformed(name + " twice")
	}
	if h.fields == nil {
		h.fields = make(map[string]string, 4)
	}
	h.fields[name] = strings.Trim(value, " \t")
	return nil
}

func (h *head) checkFraming() error {
	if _, ok := h.fields["transfer-encoding"]; ok {
		return malformed("transfer-encoding is not spoken here")
	}
	if _, ok := h.fields["expect"]; ok {
		return malformed("expect is not spoken here")
	}
	v, ok := h.fields["content-length"]
	if !ok {
		return nil
	}
	if v == "" || strings.Trim(v, "0123456789") != "" {
		return malformed("content-length")
	}
	n, err := strconv.Atoi(v)
	if err != nil || n > maxBody {
		return errBodyTooLarge
	}
	h.length = n
	return nil
}

// readLine returns a line without its CRLF.
func readLine(br *bufio.Reader, left *int) (string, error) {
	b, err := br.ReadSlice('\n')
	*left -= len(b)
	if errors.Is(err, bufio.ErrBufferFull) || *left < 0 {
		return "", errHeadTooLarge
	}
	if err != nil {
		return "", err
	}
	if len(b) < 2 || b[len(b)-2] != '\r' {
		return "", malformed("a line that does not end in CRLF")
	}
	return string(b[:len(b)-2]), nil
}

// headError is a malformed head; its text never repeats what was sent, which
// may hold a secret.
type headError string

func (e headError) Error() string { return "malformed HTTP: " + string(e) }

func malformed(what string) error { return headError(what) }

// visible reports whether s is printable ASCII and spaces, and tabs if they may
// be in it.
func visible(s string, tabs bool) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && (c != '\t' || !tabs) {
			return false
		}
	}
	return true
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// request is a head read as a request.
type request struct {
	head
	method, path string
	body         []byte
}

func readRequest(br *bufio.Reader) (request, error) {
	h, err := readHead(br)
	r := request{head: h, method: h.start[0], path: h.start[1]}
	switch {
	case err != nil:
		return r, err
	case !isToken(r.method):
		return r, malformed("the method")
	case h.start[2] != "HTTP/1.1":
		if strings.HasPrefix(h.start[2], "HTTP/") {
			return r, errVersion
		}
		return r, malformed("the start line")
	case r.method == "CONNECT" && h.length >= 0: // whether those bytes are a body or the tunnel's, readers disagree
		return r, malformed("CONNECT with a body")
	}
	r.body, err = readBody(br, h.length)
	return r, err
}

// response is a head read as a response.
type response struct {
	head
	status int
	body   []byte
}

// readResponse reads an answer to a request; one to a CONNECT that succeeded
// has no body.
func readResponse(br *bufio.Reader, connect bool) (response, error) {
	h, err := readHead(br)
	if err != nil {
		return response{}, err
	}
	r := response{head: h}
	if h.start[0] != "HTTP/1.1" {
		return r, errVersion
	}
	if r.status, err = strconv.Atoi(h.start[1]); err != nil || len(h.start[1]) != 3 || r.status < 200 {
		return r, malformed(fmt.Sprintf("the status %q", h.start[1]))
	}
	if connect && r.status == 200 {
		if h.length >= 0 {
			return r, malformed("a tunnel with a body")
		}
		return r, nil
	}
	if h.length < 0 {
		return r, malformed("an answer without content-length")
	}
	r.body, err = readBody(br, h.length)
	return r, err
}
