package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// A connection that is lost while a commit is under way leaves a question: was it
// committed? It is never guessed. Each transaction leaves a mark, a random
// number; whoever has the connection's lock again reads it and knows. Should
// there be another mark than the last two, somebody else wrote, or the server
// forgot, and this process knows no more what its books say.

// commitMark is the cursor where the mark stands.
const commitMark = "commit"

const (
	// awayFor is how long a commit waits for a database that does not answer.
	awayFor = 10 * time.Second
	// takenFor is how long another may have the lock before it is believed to be
	// another process, and not our own former connection.
	takenFor = 2 * silence
)

func readMark(ctx context.Context, conn *sql.Conn) (mark int64, err error) {
	err = conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(position), 0) FROM cursors WHERE name = $1`, commitMark).Scan(&mark)
	return mark, err
}

func (s *statements) leaveMark() error {
	mark := 1 + rand.Int64N(1<<62)
	_, err := s.exec(`INSERT INTO cursors (name, position) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET position = excluded.position`, commitMark, mark)
	if err == nil {
		s.sent = mark
	}
	return err
}

// recover connects again and says whether the commit that was under way is in
// the database. A commit that was not sent is not waited for any longer than
// awayFor; one that was, until somebody can tell, or the ledger is closed.
func (w *writer) recover() (committed bool, err error) {
	_ = w.st.close() // it is gone already
	begun := time.Now()
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		committed, err = w.reconnect()
		away := time.Since(begun)
		switch {
		case err == nil:
			return committed, nil
		case errors.Is(err, ErrBroken):
			return false, w.breakDown(err)
		case errors.Is(err, ErrInUse) && away > takenFor:
			return false, w.breakDown(fmt.Errorf("%w: %w", ErrBroken, err))
		case w.st.sent == 0 && away > awayFor:
			return false, fmt.Errorf("%w: %w", ErrAway, err)
		case away > awayFor && w.stopped():
			return false, fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		time.Sleep(pause)
	}
}

func (w *writer) reconnect() (committed bool, err error) {
	select {
	case <-w.broken:
		return false, w.why
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), awayFor)
	defer cancel()
	conn, err := w.backend.writer(ctx, w.db)
	if err != nil {
		return false, err
	}
	mark, err := readMark(ctx, conn)
	committed = w.st.sent != 0 && mark == w.st.sent
	if err == nil && !committed && mark != w.st.mark {
		err = fmt.Errorf("%w: another process has written to it, or it has forgotten a commit", ErrBroken)
	}
	if err != nil {
		return false, errors.Join(err, conn.Close())
	}
	w.st = newStatements(w.backend, conn)
	w.st.mark = mark
	return committed, nil
}

// breakDown ends all writing.
func (w *writer) breakDown(why error) error {
	select {
	case <-w.broken:
	default:
		w.why = why
		close(w.broken)
	}
	return why
}

func (w *writer) stopped() bool {
	select {
	case <-w.stop:
		return true
	default:
		return false
	}
}
