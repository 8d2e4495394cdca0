package ledger_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// fillBooks puts something into every table.
func fillBooks(t *testing.T, l *ledger.Ledger) {
	t.Helper()
	live, over := journaltest.PayeeStream(1), journaltest.PayeeStream(2)
	over.Closed, over.Continued = epoch, true
	bookings := []paystream.Booking{journaltest.Credit(1, live.Handle, 1000), journaltest.Credit(2, over.Handle, 2000), journaltest.Credit(3, "", 5)}
	bookings[2].Kind = paystream.BookedUnclaimed
	if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: 3}, Streams: []paystream.PayeeRecord{live, over}, Bookings: bookings,
		Terms: []paystream.RetiredTerms{{Terms: journaltest.Terms(), Retired: epoch}}}); err != nil {
		t.Fatal(err)
	}
	if err := l.SavePayStream(t.Context(), journaltest.PayerStream(4)); err != nil {
		t.Fatal(err)
	}
	pay(t, l, 4, "alice", "7", paystream.StepPaid, 1000, epoch)
	if _, err := l.Secret(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Forget(t.Context(), epoch.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

// contents is everything that a ledger says.
func contents(t *testing.T, l *ledger.Ledger) (all []any) {
	t.Helper()
	add := func(v any, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	ctx := t.Context()
	payee, err := l.LoadPayee(ctx, time.Time{})
	add(payee.PayIndex, err)
	add(len(payee.Streams), nil)
	add(payee.Unclaimed, nil)
	payer, err := l.LoadPayer(ctx)
	add(payer.Payments, err)
	rows, err := l.PayStreams(ctx, ledger.Filter{})
	add(rows, err)
	for _, r := range rows {
		story, err := l.PayStream(ctx, r.Handle)
		add(story.Payments, err)
		add(story.Bookings, nil)
	}
	totals, err := l.Totals(ctx)
	add(totals, err)
	earnings, err := l.Earnings(ctx, time.Time{}, ledger.ByDay)
	add(earnings, err)
	return all
}

// A backup of running books, restored here and there, says what they said.
func TestBackupAndRestore(t *testing.T) {
	l := open(t, newPlace(t))
	fillBooks(t, l)
	secret, err := l.Secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup.db")
	if err := l.Backup(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v are beside it", left, err)
	}
	if err := l.Backup(t.Context(), file); !errors.Is(err, ledger.ErrExists) {
		t.Errorf("a second one: %v, want ErrExists", err)
	}
	want := contents(t, l)
	for _, place := range []string{newPlace(t), newPath(t)} {
		if err := ledger.Restore(t.Context(), file, place); err != nil {
			t.Fatal(err)
		}
		again := open(t, place)
		if diff := gocmp.Diff(want, contents(t, again), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("restored to %s (-before +after):\n%s", place, diff)
		}
		if got, err := again.Secret(t.Context()); err != nil || got != secret {
			t.Errorf("the payer's secret is another: %v", err)
		}
		if err := ledger.Restore(t.Context(), file, place); !errors.Is(err, ledger.ErrInUse) {
			t.Errorf("over running books: %v, want ErrInUse", err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if err := ledger.Restore(t.Context(), file, place); !errors.Is(err, ledger.ErrExists) {
			t.Errorf("over books: %v, want ErrExists", err)
		}
		if diff := gocmp.Diff(want, contents(t, open(t, place)), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("a refused restore changed them:\n%s", diff)
		}
	}
}

// A backup is of one moment, whoever writes meanwhile.
func TestBackupBesideWriters(t *testing.T) {
	l := open(t, newPlace(t))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		r := journaltest.PayeeStream(1)
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := l.CommitPayee(t.Context(), paystream.PayeeBatch{Position: paystream.Position{PayIndex: uint64(n)}, Streams: []paystream.PayeeRecord{r},
				Bookings: []paystream.Booking{journaltest.Credit(n, r.Handle, 1)}}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for n := range 5 {
		file := filepath.Join(t.TempDir(), "backup.db")
		if err := l.Backup(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		b := open(t, file)
		st, err := b.LoadPayee(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range st.Streams {
			if r.BalanceMsat != int64(st.PayIndex) {
				t.Errorf("backup %d: pay_index %d, and %d msat", n, st.PayIndex, r.BalanceMsat)
			}
		}
	}
	close(stop)
	wg.Wait()
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	dir := t.TempDir()
	diary := filepath.Join(dir, "diary")
	if err := os.WriteFile(diary, []byte("Dear diary, today I was paid one sat.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	forged := filepath.Join(dir, "forged.db")
	l := open(t, forged)
	fillBooks(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, forged, "UPDATE payments SET settled = 0")
	for file, want := range map[string]string{diary: "not a database", forged: "damaged", filepath.Join(dir, "none"): "no such file"} {
		place := filepath.Join(dir, "new", "ledger.db")
		if err := ledger.Restore(t.Context(), file, place); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
		if _, err := os.Stat(place); err == nil {
			t.Errorf("%s: half a ledger is left behind", file)
		}
	}
}

// A newer tops backs the books up, and takes them along. The older one then
// refuses them, and the backup is what it can go back to.
func TestMigrate(t *testing.T) {
	place, backups := newPlace(t), t.TempDir()
	l := open(t, place)
	fillBooks(t, l)
	want := contents(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	steps := ledger.Steps()
	undo := ledger.AddStep("ALTER TABLE payments ADD COLUMN mood TEXT NOT NULL DEFAULT 'good'; CREATE TABLE moods (name TEXT PRIMARY KEY)")
	defer func() { undo() }()
	if _, err := ledger.OpenReader(t.Context(), place); err == nil || !strings.Contains(err.Error(), "start tops once") {
		t.Errorf("reading before: %v", err)
	}
	l, err := ledger.OpenWith(t.Context(), place, ledger.Options{Backups: backups})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, contents(t, l), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("after the step (-before +after):\n%s", diff)
	}
	newer := filepath.Join(t.TempDir(), "newer.db")
	if err := errors.Join(l.Backup(t.Context(), newer), l.Close()); err != nil {
		t.Fatal(err)
	}
	if !ledger.IsURL(place) {
		backups = filepath.Dir(place)
	}
	made, err := filepath.Glob(filepath.Join(backups, fmt.Sprintf("ledger-schema%d-*.db", steps)))
	if err != nil || len(made) != 1 {
		t.Fatalf("backups %v, %v; want one", made, err)
	}
	// A backup of before goes to after.
	after := newPath(t)
	if err := ledger.Restore(t.Context(), made[0], after); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, contents(t, open(t, after)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("an old backup, restored (-before +after):\n%s", diff)
	}

	undo()
	undo = func() {}
	if _, err := ledger.Open(t.Context(), place); !errors.Is(err, ledger.ErrNewer) {
		t.Errorf("the older tops: %v, want ErrNewer", err)
	}
	if err := ledger.Restore(t.Context(), newer, newPath(t)); !errors.Is(err, ledger.ErrNewer) {
		t.Errorf("a newer backup: %v, want ErrNewer", err)
	}
	back := newPath(t)
	if err := ledger.Restore(t.Context(), made[0], back); err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, contents(t, open(t, back)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("gone back (-before +after):\n%s", diff)
	}
}

// A step that fails leaves the books as they were.
func TestMigrateFails(t *testing.T) {
	place := newPlace(t)
	l := open(t, place)
	fillBooks(t, l)
	want := contents(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	undo := ledger.AddStep("DELETE FROM payments; CREATE TABLE payments (name TEXT)")
	_, err := ledger.OpenWith(t.Context(), place, ledger.Options{Backups: t.TempDir()})
	undo()
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint("schema step ", ledger.Steps()+1)) {
		t.Fatalf("%v, want an error of the new step", err)
	}
	if diff := gocmp.Diff(want, contents(t, open(t, place)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("after a step that failed:\n%s", diff)
	}
}
