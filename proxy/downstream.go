package proxy

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// maxQueued is how many bytes of our own events wait for a controller.
const maxQueued = 1 << 20

var errStalled = errors.New("controller does not read what it is sent")

// downstream is a controller's reading end. Two write to it: tor's bytes pass
// through, and ours go in where tor's are whole.
type downstream struct {
	conn    net.Conn
	timeout time.Duration // of a write; 0: none

	wmu   sync.Mutex // held while writing
	whole bool       // guarded by wmu: what was written ends a reply or event

	qmu   sync.Mutex
	queue []byte // guarded by qmu: ours, waiting for their place
}

// pass writes p, which came from tor. cut is the first place in p where a reply
// or event has ended, or -1; whole says whether one ends with p.
func (d *downstream) pass(p []byte, cut int, whole bool) error {
	if len(p) == 0 {
		return nil
	}
	d.wmu.Lock()
	defer d.wmu.Unlock()
	if d.whole {
		cut = 0
	}
	d.whole = whole
	if cut >= 0 {
		if ours := d.take(); ours != nil {
			return d.writeLocked(p[:cut], ours, p[cut:])
		}
	}
	return d.writeLocked(p)
}

// writeLocked writes everything at once. The caller holds wmu.
func (d *downstream) writeLocked(parts ...[]byte) error {
	if d.timeout > 0 {
		d.conn.SetWriteDeadline(time.Now().Add(d.timeout))
	}
	var err error
	if len(parts) == 1 {
		_, err = d.conn.Write(parts[0])
	} else {
		bufs := net.Buffers(parts)
		_, err = bufs.WriteTo(d.conn)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errStalled
	}
	return err
}

// post queues b without blocking; false: the controller is too far behind.
func (d *downstream) post(b []byte) bool {
	d.qmu.Lock()
	defer d.qmu.Unlock()
	if len(d.queue)+len(b) > maxQueued {
		return false
	}
	d.queue = append(d.queue, b...)
	return true
}

// put queues an answer.
func (d *downstream) put(b []byte) {
	d.qmu.Lock()
	defer d.qmu.Unlock()
	d.queue = append(d.queue, b...)
}

// say writes b behind what is queued, now or with tor's next bytes.
func (d *downstream) say(b []byte) error {
	d.put(b)
	return d.flush()
}

// flush writes the queue if tor's bytes are whole; otherwise pass will.
func (d *downstream) flush() error {
	d.wmu.Lock()
	defer d.wmu.Unlock()
	if !d.whole {
		return nil
	}
	ours := d.take()
	if ours == nil {
		return nil
	}
	return d.writeLocked(ours)
}

func (d *downstream) take() []byte {
	d.qmu.Lock()
	defer d.qmu.Unlock()
	q := d.queue
	d.queue = nil
	return q
}
