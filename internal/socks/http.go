package socks

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// maxHTTPHead bounds the head of an HTTP request.
const maxHTTPHead = 8 << 10

// http answers HTTP CONNECT (RFC 9110 §9.3.6) as a SOCKS CONNECT, and any other
// HTTP with what is wrong with it. What is no HTTP either is closed.
func (s *Server) http(ctx context.Context, conn net.Conn, br *bufio.Reader) {
	r, err := readHTTP(br)
	var reply Reply
	if errors.As(err, &reply) {
		s.refuse(conn, httpAnswer(reply.httpStatus(), "This is a SOCKS5 proxy that also takes HTTP CONNECT host:port.\n"))
		return
	}
	if err != nil {
		return
	}
	r.From = conn.RemoteAddr()
	conn.SetDeadline(time.Time{})
	target, err := s.connect(ctx, conn, br, r)
	if err != nil {
		reply := s.replyTo(err)
		s.refuse(conn, httpAnswer(reply.httpStatus(), reply.Error()+"\n"))
		return
	}
	s.relay(ctx, conn, br, target, []byte("HTTP/1.1 200 OK\r\n\r\n"))
}

var errNotHTTP = errors.New("socks: neither SOCKS nor HTTP")

// readHTTP reads a CONNECT. Its error is a Reply if the other end would
// understand an answer.
func readHTTP(br *bufio.Reader) (r Request, err error) {
	head, err := readHead(br)
	if err != nil {
		return r, err
	}
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return r, AddressUnsupported
	}
	if req.Method != http.MethodConnect {
		return r, CommandUnsupported
	}
	if r, err = connectTo(req.RequestURI); err != nil {
		return r, AddressUnsupported
	}
	if v := req.Header.Get("Proxy-Authorization"); v != "" {
		if r.User, r.Password, r.Auth = basic(v); !r.Auth {
			return r, AddressUnsupported
		}
	}
	return r, nil
}

// readHead takes the bytes of a head, up to its empty line, and no more: what
// follows belongs to the tunnel.
func readHead(br *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := br.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case len(head) > maxHTTPHead || errors.Is(err, bufio.ErrBufferFull):
			return nil, AddressUnsupported
		case err != nil:
			return nil, err
		case len(head) == len(line) && !bytes.Contains(line, []byte(" HTTP/")):
			return nil, errNotHTTP
		case len(bytes.TrimRight(line, "\r\n")) == 0:
			return head, nil
		}
	}
}

func connectTo(hostport string) (Request, error) {
	r := Request{Command: Connect}
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return r, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return r, err
	}
	r.Name, r.Port = host, uint16(n)
	if a, err := netip.ParseAddr(host); err == nil && a.Zone() == "" {
		r.Addr, r.Name = a, ""
	}
	return r, r.check()
}

func basic(v string) (user, password string, ok bool) {
	scheme, coded, _ := strings.Cut(v, " ")
	b, err := base64.StdEncoding.DecodeString(coded)
	if !strings.EqualFold(scheme, "basic") || err != nil {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}

func httpAnswer(status int, text string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		status, http.StatusText(status), len(text))
	io.WriteString(&b, text)
	return b.Bytes()
}
