package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

func TestJournal(t *testing.T) {
	t.Parallel()
	journaltest.Run(t, func(t *testing.T) journaltest.Journal {
		path := newPath(t)
		return restarted{open(t, path), path}
	})
}

// restarted is a ledger that the journals' test can open again.
type restarted struct {
	*ledger.Ledger
	path string
}

func (r restarted) Reopen(t *testing.T) journaltest.Journal {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return restarted{open(t, r.path), r.path}
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "books", "ledger.db") }

func open(t testing.TB, path string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), path)
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

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		fmt.Fprintln(os.Stderr, child(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}
