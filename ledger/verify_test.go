package ledger_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// Somebody edits the books by hand; Verify says what does not fit.
func TestVerifyFindsForgeries(t *testing.T) {
	for name, tc := range map[string]struct{ forgery, want string }{
		"nothing":             {"SELECT 1", ""},
		"credit to nobody":    {"DELETE FROM payee_streams", "not in the books"},
		"another's hash":      {"UPDATE payer_streams SET preimage = '" + strings.Repeat("00", 32) + "'", "hash of another"},
		"a broken hash":       {"UPDATE payee_streams SET payment_id_hash = 'x'", "payment_id_hash"},
		"unreadable terms":    {"UPDATE payee_streams SET terms = 'tops:7'", "tops:1"},
		"a booking of nobody": {"UPDATE bookings SET handle = ''", "without a pay stream"},
		"a payment too cheap": {"UPDATE payments SET sent_msat = 1", "cost less"},
		"never settled":       {"UPDATE payments SET settled = 0", "never settled"},
		"twice paid":          {"INSERT INTO payments SELECT handle, 'other', amount_msat, attempt, round, through, max_fee_msat, step, invoice, payment_hash, expires, paying, sent_msat, created, settled, controller, circuit FROM payments", "paid twice"},
		"less than nothing":   {"INSERT INTO days VALUES (0, 'credit', 1, -1)", "less than nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			l := open(t, path)
			r := journaltest.PayeeStream(1)
			earn(t, l, r, come(1, paystream.BookedCredit, r.Handle, 1000, epoch))
			if err := l.SavePayStream(t.Context(), journaltest.PayerStream(2)); err != nil {
				t.Fatal(err)
			}
			pay(t, l, 2, "alice", "1", paystream.StepPaid, 1000, epoch)
			edit(t, path, tc.forgery)
			err := l.Verify(t.Context())
			if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Verify = %v, want %q", err, tc.want)
			}
		})
	}
}

func edit(t *testing.T, path, statement string) {
	t.Helper()
	driver := "sqlite"
	if ledger.IsURL(path) {
		driver = "pgx"
	}
	db, err := sql.Open(driver, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
}

// Pages that were overwritten are found.
func TestVerifyFindsDamage(t *testing.T) {
	path := newPath(t)
	l := open(t, path)
	for n := range 200 {
		if err := l.SavePayStream(t.Context(), journaltest.PayerStream(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil { // and so the log is in the file
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 4096), info.Size()-8192); err != nil {
		t.Fatal(err)
	}
	r, err := ledger.OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Verify(t.Context()); err == nil {
		t.Error("a page of zeros went unnoticed")
	}
}
