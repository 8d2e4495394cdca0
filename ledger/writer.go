package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// A transaction takes at most maxGroup callers' work, so that the first of
// them does not wait for ever longer.
const maxGroup = 256

// writer is the one goroutine that writes. Callers queue; it takes all that
// are there, up to maxGroup, and commits them with one fsync.
type writer struct {
	backend backend
	db      *sql.DB
	queue   chan *work
	stop    chan struct{} // closed by close
	done    chan struct{} // closed when run has ended
	st      *statements
	err     error // of closing the connection, readable after done

	broken chan struct{} // closed when nothing can be written any more
	why    error         // readable after that
}

// work is one caller's part of a transaction. It may be done more than once,
// but for a transaction that is committed only once.
type work struct {
	do     func(*statements) error
	result chan error // has room for one: the writer never waits for a caller
}

func startWriter(ctx context.Context, b backend, db *sql.DB, conn *sql.Conn) (*writer, error) {
	w := &writer{
		backend: b,
		db:      db,
		queue:   make(chan *work, maxGroup),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
		st:      newStatements(b, conn),
		broken:  make(chan struct{}),
	}
	if b.remote() {
		var err error
		if w.st.mark, err = readMark(ctx, conn); err != nil {
			return nil, err
		}
	}
	go w.run()
	return w, nil
}

// do queues f and waits for its commit. ctx counts only until it is queued.
func (w *writer) do(ctx context.Context, f func(*statements) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	mine := &work{f, make(chan error, 1)}
	select {
	case <-w.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	case w.queue <- mine:
	}
	select {
	case err := <-mine.result:
		return err
	case <-w.done:
	}
	select { // it may have been among the last
	case err := <-mine.result:
		return err
	default:
		return ErrClosed
	}
}

func (w *writer) close() error {
	close(w.stop)
	<-w.done
	return w.err
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case first := <-w.queue:
			w.commit(w.gather(first))
		case <-w.stop:
			for len(w.queue) > 0 {
				w.commit(w.gather(<-w.queue))
			}
			if err := w.st.close(); !w.backend.remote() { // each commit was answered, and a server may be gone
				w.err = err
			}
			return
		}
	}
}

// gather takes what is queued by now. It does not wait for more: while one
// group is written the next one queues by itself.
func (w *writer) gather(first *work) []*work {
	group := []*work{first}
	for len(group) < maxGroup {
		select {
		case next := <-w.queue:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

// commit writes a group in one transaction. Work that fails is undone alone. If
// the transaction itself is lost (one caller's work filled the disk, say), each
// gets one of its own.
func (w *writer) commit(group []*work) {
	results, begun, err := w.try(group)
	for err != nil && w.backend.lost(w.st.conn) {
		begun = false // or each would wait again
		var committed bool
		if committed, err = w.recover(); committed || err != nil {
			break
		}
		results, begun, err = w.try(group)
	}
	if err != nil && begun && len(group) > 1 {
		for _, one := range group {
			w.commit([]*work{one})
		}
		return
	}
	for i, one := range group {
		if err != nil && results[i] == nil {
			results[i] = fmt.Errorf("commit: %w", err)
		}
		one.result <- results[i]
	}
}

// try takes the group's work once. begun says that the transaction began.
func (w *writer) try(group []*work) (results []error, begun bool, err error) {
	results = make([]error, len(group))
	err = w.st.transaction(func() error {
		begun = true
		for i, one := range group {
			var lost error
			if results[i], lost = w.st.savepoint(one.do); lost != nil {
				return lost
			}
		}
		return nil
	})
	return results, begun, err
}

// statements runs SQL on the writer's connection and prepares each text once.
type statements struct {
	backend  backend
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
	mark     int64 // that the last commit left: see doubt.go
	sent     int64 // that of the commit under way, 0 if there is none
}

func newStatements(b backend, conn *sql.Conn) *statements {
	return &statements{backend: b, conn: conn, prepared: make(map[string]*sql.Stmt)}
}

// prepare uses no caller's context: a commit that was taken is finished.
func (s *statements) prepare(query string) (*sql.Stmt, error) {
	if st, ok := s.prepared[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	s.prepared[query] = st
	return st, nil
}

// exec runs a statement and says how many rows it changed.
func (s *statements) exec(query string, args ...any) (changed int64, err error) {
	st, err := s.prepare(query)
	if err != nil {
		return 0, err
	}
	res, err := st.Exec(clean(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// scan reads the one row that a query gives.
func (s *statements) scan(query string, args []any, into ...any) error {
	st, err := s.prepare(query)
	if err != nil {
		return err
	}
	return st.QueryRow(clean(args)...).Scan(into...)
}

func (s *statements) transaction(f func() error) error {
	s.sent = 0
	if _, err := s.exec(s.backend.begin()); err != nil {
		return err
	}
	err := f()
	if err == nil && s.backend.remote() {
		err = s.leaveMark()
	}
	if err == nil {
		_, err = s.exec("COMMIT")
	}
	if err == nil {
		s.mark, s.sent = s.sent, 0
		return nil
	}
	// A database that gave the transaction up by itself refuses the rollback:
	// the first error is the one that matters.
	s.exec("ROLLBACK")
	return err
}

// savepoint runs f so that its failure leaves the transaction as it was. The
// second error means that the transaction is lost.
func (s *statements) savepoint(f func(*statements) error) (failed, lost error) {
	if _, err := s.exec("SAVEPOINT one"); err != nil {
		return nil, err
	}
	if failed = f(s); failed != nil {
		if _, err := s.exec("ROLLBACK TO SAVEPOINT one"); err != nil {
			return failed, err
		}
	}
	_, lost = s.exec("RELEASE SAVEPOINT one")
	return failed, lost
}

func (s *statements) close() error {
	var errs []error
	for _, st := range s.prepared {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}
