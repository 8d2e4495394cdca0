package gateway

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

type dnsType = dnsmessage.Type

const (
	typeA    = dnsmessage.TypeA
	typeAAAA = dnsmessage.TypeAAAA
)

// maxDatagram is what we say that we take (RFC 6891): what passes everywhere in
// one piece.
const maxDatagram = 1232

// maxAnswerAddrs is how many addresses of an answer are kept.
const maxAnswerAddrs = 16

var (
	errTruncated = errors.New("the answer does not fit a datagram")
	errNotOurs   = errors.New("not the answer to this question")
	errServer    = errors.New("the server cannot answer")
)

// dnsQuestion is one question, ready to be sent.
type dnsQuestion struct {
	id   uint16
	q    dnsmessage.Question
	wire []byte
}

func newQuestion(name string, kind dnsType) (q dnsQuestion, err error) {
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return q, err
	}
	var id [2]byte
	rand.Read(id[:])
	q.id = binary.BigEndian.Uint16(id[:])
	q.q = dnsmessage.Question{Name: n, Type: kind, Class: dnsmessage.ClassINET}
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: q.id, RecursionDesired: true})
	var edns dnsmessage.ResourceHeader
	err = errors.Join(b.StartQuestions(), b.Question(q.q), b.StartAdditionals(),
		edns.SetEDNS0(maxDatagram, dnsmessage.RCodeSuccess, false), b.OPTResource(edns, dnsmessage.OPTResource{}))
	if err != nil {
		return q, err
	}
	q.wire, err = b.Finish()
	return q, err
}

// over asks one server.
func (q dnsQuestion) over(ctx context.Context, network string, server netip.AddrPort) (a dnsAnswer, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, server.String())
	if err != nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if network == "tcp" {
		return q.overStream(conn)
	}
	if _, err := conn.Write(q.wire); err != nil {
		return a, err
	}
	buf := make([]byte, maxDatagram)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return a, err
		}
		// Anybody may have sent this: what does not fit is not waited for in vain.
		if a, err = q.read(buf[:n]); !errors.Is(err, errNotOurs) {
			return a, err
		}
	}
}

// overStream is RFC 1035 §4.2.2: each message behind its length.
func (q dnsQuestion) overStream(conn net.Conn) (a dnsAnswer, err error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q.wire))), q.wire...)); err != nil {
		return a, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return a, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return a, err
	}
	return q.read(buf)
}

// read takes the addresses from an answer, whatever aliases lead to them.
func (q dnsQuestion) read(b []byte) (a dnsAnswer, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(b)
	if err != nil || !h.Response || h.ID != q.id || h.OpCode != 0 {
		return a, errNotOurs
	}
	asked, err := p.AllQuestions()
	if err != nil || len(asked) != 1 || asked[0].Type != q.q.Type || asked[0].Class != q.q.Class ||
		!strings.EqualFold(asked[0].Name.String(), q.q.Name.String()) {
		return a, errNotOurs
	}
	switch {
	case h.Truncated:
		return a, errTruncated
	case h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError:
		return a, errServer
	}
	if err := a.readAnswers(&p); err != nil {
		return dnsAnswer{}, errServer
	}
	if len(a.addrs) == 0 {
		a.ttl = 0 // of aliases that lead to nothing
		if err := a.readAuthority(&p); err != nil {
			return dnsAnswer{}, errServer
		}
	}
	return a, nil
}

// readAnswers reads the section of answers. An answer is good for as long as the
// shortest of its TTLs.
func (a *dnsAnswer) readAnswers(p *dnsmessage.Parser) error {
	shortest := uint32(math.MaxUint32)
	for {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			a.ttl = seconds32(shortest)
			return nil
		}
		if err != nil {
			return err
		}
		shortest = min(shortest, h.TTL)
		var addr netip.Addr
		switch {
		case h.Class == dnsmessage.ClassINET && h.Type == typeA:
			r, err := p.AResource()
			if err != nil {
				return err
			}
			addr = netip.AddrFrom4(r.A)
		case h.Class == dnsmessage.ClassINET && h.Type == typeAAAA:
			r, err := p.AAAAResource()
			if err != nil {
				return err
			}
			addr = netip.AddrFrom16(r.AAAA)
		default:
			if err := p.SkipAnswer(); err != nil {
				return err
			}
			continue
		}
		if len(a.addrs) < maxAnswerAddrs {
			a.addrs = append(a.addrs, addr)
		}
	}
}

// readAuthority finds how long the absence of addresses may be believed (RFC
// 2308 §5). Without a word about it: not at all.
func (a *dnsAnswer) readAuthority(p *dnsmessage.Parser) error {
	for {
		h, err := p.AuthorityHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Type != dnsmessage.TypeSOA {
			if err := p.SkipAuthority(); err != nil {
				return err
			}
			continue
		}
		soa, err := p.SOAResource()
		if err != nil {
			return err
		}
		a.ttl = seconds32(min(h.TTL, soa.MinTTL))
		return nil
	}
}

// seconds32 reads a TTL; one with its highest bit set is 0 (RFC 2181 §8).
func seconds32(ttl uint32) time.Duration {
	if ttl > math.MaxInt32 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}
