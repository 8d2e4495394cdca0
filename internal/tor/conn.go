package tor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/el-tor/tops/controlspec"
)

// What bounds the memory and the time of a connection.
const (
	maxReply     = 4 << 20          // bytes of one reply or event
	maxEvents    = 8 << 20          // bytes of events that nobody has taken yet
	maxWaiting   = 4096             // commands that tor has not answered
	writeTimeout = 10 * time.Second // for a command to be taken by the socket
)

// Why a connection ended, or was not there. What Dial returns is ErrUnreachable.
var (
	ErrUnreachable  = errors.New("tor's control port cannot be used")
	ErrClosed       = errors.New("control connection closed")
	ErrNotConnected = errors.New("not connected to tor's control port")
	ErrBacklog      = errors.New("events came faster than they were handled")
	ErrBusy         = errors.New("tor owes too many answers")
)

// A Conn is one authenticated control connection to tor. Its methods may be
// called from any goroutine.
type Conn struct {
	sock   net.Conn
	events eventQueue
	done   chan struct{} // closed when the reader has ended
	lines  atomic.Pointer[func(line []byte)]

	writing sync.Mutex // held while a command is queued and written: one order for both

	mu      sync.Mutex // guards what follows
	waiting []chan controlspec.Reply
	err     error // why the connection ended
}

// unreachable is an error that is ErrUnreachable, and says more.
type unreachable struct{ error }

func (unreachable) Is(target error) bool { return target == ErrUnreachable }

func (u unreachable) Unwrap() error { return u.error }

// Dial connects to a control port or socket (see [Options]) and authenticates.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	network, address, err := SplitAddress(o.Address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	sock, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, unreachable{fmt.Errorf("tor's control port: %w", err)}
	}
	c := newConn(sock)
	if err := c.authenticate(ctx, o); err != nil {
		c.Close()
		return nil, unreachable{err}
	}
	return c, nil
}

func newConn(sock net.Conn) *Conn {
	c := &Conn{sock: sock, done: make(chan struct{})}
	c.events.init(maxEvents)
	go c.read()
	return c
}

// Do sends one command line, without its line end, and waits for the reply. A
// reply that is not positive is an error that wraps [*controlspec.ReplyError].
// When ctx ends first the reply, if it still comes, is dropped; the connection
// goes on.
func (c *Conn) Do(ctx context.Context, line string) (controlspec.Reply, error) {
	verb, _, _ := strings.Cut(line, " ") // arguments may be secret, and stay out of errors
	reply, err := c.roundTrip(ctx, line)
	if err == nil {
		err = reply.Err()
	}
	if err != nil {
		return controlspec.Reply{}, fmt.Errorf("%s: %w", verb, err)
	}
	return reply, nil
}

// DoAll sends several commands in one write and waits for all replies, in order.
// tor carries out what it has read of one connection before it turns to another,
// so that nobody else's command comes between them. The first reply that is not
// positive is the error; the others are returned all the same.
func (c *Conn) DoAll(ctx context.Context, lines ...string) ([]controlspec.Reply, error) {
	replies, err := c.roundTrips(ctx, lines)
	for i, reply := range replies {
		if rerr := reply.Err(); rerr != nil && err == nil {
			verb, _, _ := strings.Cut(lines[i], " ")
			err = fmt.Errorf("%s: %w", verb, rerr)
		}
	}
	return replies, err
}

func (c *Conn) roundTrip(ctx context.Context, line string) (controlspec.Reply, error) {
	replies, err := c.roundTrips(ctx, []string{line})
	if err != nil {
		return controlspec.Reply{}, err
	}
	return replies[0], nil
}

func (c *Conn) roundTrips(ctx context.Context, lines []string) ([]controlspec.Reply, error) {
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n\x00") {
			return nil, errors.New("command with a line end or NUL in it")
		}
		if len(line) >= controlspec.MaxCommand {
			return nil, controlspec.ErrCommandTooLong
		}
	}
	return c.exchange(ctx, lines)
}

// exchange sends what is fit to be sent and waits for the replies.
func (c *Conn) exchange(ctx context.Context, lines []string) ([]controlspec.Reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	answers, err := c.send(lines)
	if err != nil {
		return nil, err
	}
	replies := make([]controlspec.Reply, len(lines))
	for i, answer := range answers {
		if replies[i], err = c.await(ctx, answer); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// await waits for one reply.
func (c *Conn) await(ctx context.Context, answer <-chan controlspec.Reply) (controlspec.Reply, error) {
	select {
	case reply := <-answer:
		return reply, nil
	case <-ctx.Done():
		return controlspec.Reply{}, context.Cause(ctx)
	case <-c.done:
	}
	select {
	case reply := <-answer: // it came before the end
		return reply, nil
	default:
		return controlspec.Reply{}, c.Err()
	}
}

// send writes commands, at once, and returns where their replies will be put.
func (c *Conn) send(lines []string) ([]<-chan controlspec.Reply, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	switch {
	case c.err != nil:
		defer c.mu.Unlock()
		return nil, c.err
	case len(c.waiting)+len(lines) > maxWaiting:
		defer c.mu.Unlock()
		return nil, ErrBusy
	}
	answers := make([]<-chan controlspec.Reply, len(lines))
	for i := range lines {
		answer := make(chan controlspec.Reply, 1)
		c.waiting, answers[i] = append(c.waiting, answer), answer
	}
	c.mu.Unlock()

	c.sock.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := c.sock.Write([]byte(strings.Join(lines, "\r\n") + "\r\n")); err != nil {
		// Half a command may have gone out: nothing can follow it.
		c.fail(err)
		return nil, c.Err()
	}
	return answers, nil
}

// read sorts what tor says into replies and events until the connection ends.
func (c *Conn) read() {
	defer close(c.done)
	defer c.events.close()
	r := controlspec.NewReplyReader(c.sock)
	r.Limit = maxReply
	for {
		reply, err := r.ReadReply()
		if err == nil {
			err = c.sort(reply)
		}
		if take := c.lines.Load(); err == nil && take != nil && !reply.Async() {
			err = readLines(r, *take)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *Conn) sort(reply controlspec.Reply) error {
	if reply.Async() {
		if !c.events.put(reply) {
			return ErrBacklog
		}
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		return fmt.Errorf("tor answered nothing that was asked: %w", reply.Err())
	}
	c.waiting[0] <- reply
	c.waiting = c.waiting[1:]
	return nil
}

// fail ends the connection for a reason; the first one stays.
func (c *Conn) fail(reason error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = fmt.Errorf("%w: %w", ErrClosed, reason)
	}
	c.sock.Close()
}

// NextEvent returns the next event, in the order in which tor sent them. Who
// subscribes to events must take them: when too many wait the connection ends
// with [ErrBacklog].
func (c *Conn) NextEvent(ctx context.Context) (controlspec.Reply, error) {
	event, ok, err := c.events.take(ctx)
	if err != nil {
		return controlspec.Reply{}, err
	}
	if !ok {
		return controlspec.Reply{}, c.Err()
	}
	return event, nil
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection ended, nil while it has not.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and waits for its goroutine.
func (c *Conn) Close() error {
	c.fail(net.ErrClosed)
	<-c.done
	return nil
}
