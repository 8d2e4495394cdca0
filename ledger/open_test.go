package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

func TestOpenRefusesASecond(t *testing.T) {
	path := newPlace(t)
	first := open(t, path)
	if second, err := ledger.Open(t.Context(), path); !errors.Is(err, ledger.ErrInUse) {
		t.Errorf("a second Open: %v, %v, want ErrInUse", second, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

func TestFilesArePrivate(t *testing.T) {
	path := newPath(t)
	l := open(t, path)
	if _, err := l.Secret(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := filepath.WalkDir(filepath.Dir(path), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
		seen++
		return nil
	})
	if err != nil || seen < 4 { // directory, file, lock and write-ahead log
		t.Errorf("%d files: %v", seen, err)
	}
}

func TestOpenTakesWideModesAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	open(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	path := newPath(t)
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO schema_versions VALUES (1000)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func(context.Context, string) (*ledger.Ledger, error){
		"Open": ledger.Open, "OpenReader": ledger.OpenReader,
	} {
		if _, err := open(t.Context(), path); !errors.Is(err, ledger.ErrNewer) {
			t.Errorf("%s: %v, want ErrNewer", name, err)
		}
	}
}

func TestOpenRefusesWhatIsNoLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, []byte("Dear diary, today I was paid one sat.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(t.Context(), path); err == nil {
		t.Error("a text file was opened as a ledger")
	}
	if _, err := ledger.OpenReader(t.Context(), path+"x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading a file that is not there: %v", err)
	}
}

func TestPathMayHoldAnything(t *testing.T) {
	open(t, filepath.Join(t.TempDir(), "100% of #1? &mode=ro.db"))
}

func TestReaderBesideTheWriterAndAfterIt(t *testing.T) {
	path := newPlace(t)
	l := open(t, path)
	write := func(n int) {
		t.Helper()
		if err := l.SavePayStream(t.Context(), journaltest.PayerStream(n)); err != nil {
			t.Fatal(err)
		}
	}
	count := func(r *ledger.Ledger) int {
		t.Helper()
		st, err := r.LoadPayer(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(st.Streams)
	}
	write(1)
	r, err := ledger.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := count(r); got != 1 {
		t.Errorf("the reader sees %d pay streams, want 1", got)
	}
	write(2)
	if got := count(r); got != 2 {
		t.Errorf("the reader sees %d pay streams, want 2", got)
	}
	if err := r.SavePayStream(t.Context(), journaltest.PayerStream(3)); !errors.Is(err, ledger.ErrReadOnly) {
		t.Errorf("writing through a reader: %v", err)
	}
	if err := errors.Join(r.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if r, err = ledger.OpenReader(t.Context(), path); err != nil {
		t.Fatalf("reading when nobody writes: %v", err)
	}
	if got := count(r); got != 2 {
		t.Errorf("afterwards the reader sees %d pay streams, want 2", got)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestAfterClose(t *testing.T) {
	l := open(t, newPlace(t))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: 1}}); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("a commit after Close: %v, want ErrClosed", err)
	}
	if _, err := l.LoadPayer(t.Context()); err == nil {
		t.Error("a load after Close worked")
	}
}

func TestReopenedRemembersEverything(t *testing.T) {
	path := newPlace(t)
	l := open(t, path)
	secret, err := l.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := journaltest.PayeeStream(1)
	if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: 7}, Streams: []paystream.PayeeRecord{r},
		Bookings: []paystream.Booking{journaltest.Credit(7, r.Handle, 1000)}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = open(t, path)
	st, err := l.LoadPayee(t.Context(), r.Start)
	if err != nil {
		t.Fatal(err)
	}
	if st.PayIndex != 7 || len(st.Streams) != 1 || st.Streams[0].BalanceMsat != 1000 {
		t.Errorf("state after a restart: pay_index %d, %d pay streams", st.PayIndex, len(st.Streams))
	}
	if again, err := l.Secret(t.Context()); err != nil || again != secret {
		t.Errorf("the secret changed over a restart (%v)", err)
	}
}
