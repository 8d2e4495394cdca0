package e2e_test

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/el-tor/tops/paystream"
	"github.com/rs/zerolog"
)

// logBuffer keeps every line that the relay and the client log.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) logger(name string) zerolog.Logger {
	return zerolog.New(b).Level(zerolog.DebugLevel).With().Timestamp().Str("role", name).Logger()
}

// mark is where the log is now.
func (b *logBuffer) mark() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Len()
}

// since lists the warnings of a role that came after a mark.
func (b *logBuffer) since(mark int, role string) (warnings []string) {
	for line := range strings.Lines(b.String()[mark:]) {
		if strings.Contains(line, `"level":"warn"`) && strings.Contains(line, `"role":"`+role+`"`) {
			warnings = append(warnings, strings.TrimSpace(line))
		}
	}
	return warnings
}

// once checks that something was logged, and once.
func (b *logBuffer) once(t *testing.T, mark int, role, what string) {
	t.Helper()
	var n int
	warnings := b.since(mark, role)
	for _, line := range warnings {
		if strings.Contains(line, what) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the %s logged %q %d times, want once:\n%s", role, what, n, strings.Join(warnings, "\n"))
	}
}

// secrets looks for what nobody may read in a log: what is in the books, and
// tor's cookies.
func (w *world) secrets(t *testing.T) {
	log := strings.ToLower(w.log.String())
	if !strings.Contains(log, "paystream") {
		t.Fatal("the log tells of no pay stream")
	}
	secret := map[string]string{} // what it is, by what must not be found
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "client", "ledger.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, preimage := range column(t, db, "SELECT preimage FROM payer_streams") {
		p, err := paystream.ParsePreimage(preimage)
		if err != nil {
			t.Fatal(err)
		}
		secret[preimage], secret[p.Hash().Hex()] = "preimage", "payment_id_hash"
	}
	hashes := len(secret)
	for _, note := range column(t, db, "SELECT note FROM payments") {
		secret[note] = "note"
	}
	for _, invoice := range column(t, db, "SELECT invoice FROM payments WHERE invoice <> ''") {
		secret[invoice] = "invoice"
	}
	for _, h := range w.stranger.secrets {
		secret[h] = "stranger's secret"
	}
	for _, n := range append(w.net.Relays, w.net.Clients...) {
		cookie, err := os.ReadFile(filepath.Join(n.Dir, "control_auth_cookie"))
		if err != nil {
			t.Fatal(err)
		}
		secret[hex.EncodeToString(cookie)] = "cookie"
	}
	if hashes == 0 || len(secret) < hashes+2 {
		t.Fatalf("%d secrets, %d of them hashes: too few to look for", len(secret), hashes)
	}
	if found := regexp.MustCompile(`tops-[0-9a-f]{32}`).FindString(log); found != "" {
		t.Errorf("the username of our streams is in the log: %q", found)
	}
	for s, what := range secret {
		if strings.Contains(log, strings.ToLower(s)) {
			t.Errorf("a %s is in the log", what)
		}
	}
}

func column(t *testing.T, db *sql.DB, query string) (out []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// destinations looks for where the pay streams went: in no log, no books and no
// state of either end.
func (w *world) destinations(t *testing.T) {
	text := map[string]string{"the log": w.log.String()}
	for _, role := range []string{"relay", "client"} {
		err := filepath.WalkDir(filepath.Join(w.dir, role), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			text[role+"/"+d.Name()] = string(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(text["relay/ledger.db"]) == 0 || len(text["client/ledger.db"]) == 0 {
		t.Fatalf("there are no books among %v", slices.Collect(maps.Keys(text)))
	}
	raw := chargen.Addr().As4()
	for where, said := range text {
		for _, destination := range []string{chargen.Addr().String(), "tops-e2e.org", hex.EncodeToString(raw[:]), string(raw[:])} {
			if i := strings.Index(said, destination); i >= 0 {
				t.Errorf("%s tells of a destination: …%.200q", where, said[max(0, i-80):])
			}
		}
	}
}
