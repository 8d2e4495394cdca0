package socks

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Answer is what a name or an address resolved to.
type Answer struct {
	Addr netip.Addr // of a RESOLVE
	Name string     // of a RESOLVE_PTR
}

// Server answers apps. Connect is needed, the rest has defaults.
type Server struct {
	// Connect makes the connection that an app asks for.
	Connect func(ctx context.Context, r Request) (net.Conn, error)

	// Resolve answers RESOLVE and RESOLVE_PTR; without it they are refused.
	Resolve func(ctx context.Context, r Request) (Answer, error)

	// Reply, if set, says what to answer to a handler's error that wraps no
	// Reply; Succeeded means that it does not know.
	Reply func(error) Reply

	// Handshake is how long an app may take to say what it wants, 10 s.
	Handshake time.Duration

	// Conns is how many apps may be connected at once, 1024. One more is closed.
	Conns int

	// Failed, if set, is told of errors of accept.
	Failed func(error)

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	wg    sync.WaitGroup
}

// Serve answers until ctx ends, closes ln and all connections, and returns when
// they are gone. Its error is nil if it was ctx that ended it.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.Connect == nil {
		return errors.New("socks: a server needs a Connect")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer s.wg.Wait()
	defer s.closeAll()
	defer cancel()
	defer ln.Close()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			s.accept(ctx, conn)
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of descriptors: some will be free again
			if s.Failed != nil {
				s.Failed(err)
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

func (s *Server) accept(ctx context.Context, conn net.Conn) {
	if !s.enter(conn) {
		conn.Close()
		return
	}
	s.wg.Go(func() {
		defer s.leave(conn)
		s.serve(ctx, conn)
	})
}

// enter remembers an app's connection, so that the end of the server closes it.
func (s *Server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= cmp.Or(s.Conns, 1024) {
		return false
	}
	if s.conns == nil {
		s.conns = make(map[net.Conn]struct{})
	}
	s.conns[conn] = struct{}{}
	return true
}

func (s *Server) leave(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

// serve is one app's connection, from its first byte to its last.
func (s *Server) serve(ctx context.Context, conn net.Conn) {
	conn.SetDeadline(time.Now().Add(cmp.Or(s.Handshake, 10*time.Second)))
	br := bufio.NewReaderSize(conn, maxHTTPHead)
	first, err := br.Peek(1)
	if err != nil {
		return
	}
	switch first[0] {
	case version5:
		br.Discard(1)
		s.socks5(ctx, conn, br)
	case version4: // 91: "request rejected or failed"
		s.refuse(conn, []byte{0, 91, 0, 0, 0, 0, 0, 0})
	default:
		s.http(ctx, conn, br)
	}
}

func (s *Server) socks5(ctx context.Context, conn net.Conn, br *bufio.Reader) {
	r := Request{From: conn.RemoteAddr()}
	if err := negotiate(br, conn, &r); err != nil {
		if errors.Is(err, errMethods) {
			s.refuse(conn, nil)
		}
		return
	}
	err := readRequest(br, &r)
	var reply Reply
	if errors.As(err, &reply) {
		s.refuse(conn, writeReply(reply, Answer{}))
		return
	}
	if err != nil {
		return
	}
	conn.SetDeadline(time.Time{})
	if r.Command != Connect {
		s.resolve(ctx, conn, br, r)
		return
	}
	target, err := s.connect(ctx, conn, br, r)
	if err != nil {
		s.refuse(conn, writeReply(s.replyTo(err), Answer{}))
		return
	}
	s.relay(ctx, conn, br, target, writeReply(Succeeded, Answer{}))
}

// connect asks the handler, as long as the app waits.
func (s *Server) connect(ctx context.Context, conn net.Conn, br *bufio.Reader, r Request) (target net.Conn, err error) {
	while(ctx, conn, br, func(ctx context.Context) { target, err = s.Connect(ctx, r) })
	return target, err
}

func (s *Server) resolve(ctx context.Context, conn net.Conn, br *bufio.Reader, r Request) {
	if s.Resolve == nil {
		s.refuse(conn, writeReply(CommandUnsupported, Answer{}))
		return
	}
	var a Answer
	var err error
	while(ctx, conn, br, func(ctx context.Context) { a, err = s.Resolve(ctx, r) })
	if err != nil {
		s.refuse(conn, writeReply(s.replyTo(err), Answer{}))
		return
	}
	s.refuse(conn, writeReply(Succeeded, a)) // the last word, as a refusal is
}

// writeReply is RFC 1928 §6. The bound address is of no use behind tor: zero.
func writeReply(r Reply, a Answer) []byte {
	out := []byte{version5, byte(r), 0}
	switch {
	case a.Name != "" && len(a.Name) <= 255:
		out = append(append(out, typeName, byte(len(a.Name))), a.Name...)
	case a.Addr.Is6():
		out = append(append(out, typeIPv6), a.Addr.AsSlice()...)
	case a.Addr.Is4():
		out = append(append(out, typeIPv4), a.Addr.AsSlice()...)
	default:
		out = append(out, typeIPv4, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint16(out, 0)
}

// refuse writes the last word and waits a moment for the app to read it: a
// close with bytes unread would take it back.
func (s *Server) refuse(conn net.Conn, word []byte) {
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write(word); err == nil {
		closeWrite(conn)
		io.CopyN(io.Discard, conn, 64<<10)
	}
}
