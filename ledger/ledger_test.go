package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/el-tor/tops/internal/testpg"
	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Journal {
		place := newPlace(t)
		return restarted{open(t, place), place}
	})
}

// restarted is a ledger that the journals' test can open again.
type restarted struct {
	*ledger.Ledger
	place string
}

func (r restarted) Reopen(t *testing.T) journaltest.Journal {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return restarted{open(t, r.place), r.place}
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "books", "ledger.db") }

// newPlace is a place for a ledger: a path, or a schema of PostgreSQL's with the
// build tag world.
func newPlace(t testing.TB) string {
	if server == nil {
		return newPath(t)
	}
	return server.URL(fmt.Sprintf("test%d", schemas.Add(1)))
}

func open(t testing.TB, place string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return l
}

var (
	server  *testpg.Server // with the build tag world
	schemas atomic.Int64   // of the server that are used
)

func TestMain(m *testing.M) {
	if place := os.Getenv(childEnv); place != "" {
		fmt.Fprintln(os.Stderr, child(place))
		os.Exit(1)
	}
	var err error
	if server, err = startServer(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if server != nil {
			if err := server.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
		os.Exit(code)
	}))
}
