package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/el-tor/tops/ledger"
	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/paystream/memjournal/journaltest"
)

// childEnv makes this test binary a process that commits until it is killed.
const childEnv = "TOPS_TEST_LEDGER_CHILD"

// A process that is killed in the middle of commits leaves everything that it
// was told is durable, each batch whole, and a pay_index that is not ahead of
// the bookings. Several lives of one ledger.
func TestKilledInTheMiddleOfCommits(t *testing.T) {
	t.Parallel()
	path := newPlace(t)
	credited := 0 // acknowledged, in all lives
	opened := make(map[paystream.Handle]bool)
	for life := range 4 {
		acks := liveAndDie(t, path, 100+37*life)
		l := open(t, path)
		for _, ack := range acks {
			var what string
			var n int
			if _, err := fmt.Sscan(ack, &what, &n); err != nil {
				continue // cut off by its death
			}
			switch what {
			case "credit":
				credited = max(credited, n)
			case "open":
				opened[journaltest.PayerStream(n).Handle] = true
			}
		}
		st, err := l.LoadPayee(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		story, err := l.PayStream(t.Context(), journaltest.PayeeStream(0).Handle)
		if err != nil {
			t.Fatal(err)
		}
		booked := make(map[uint64]bool)
		for _, k := range story.Bookings {
			booked[k.PayIndex] = true
		}
		if st.PayIndex < uint64(credited) {
			t.Errorf("life %d: pay_index %d, and %d was acknowledged", life, st.PayIndex, credited)
		}
		for n := uint64(1); n <= st.PayIndex; n++ {
			if !booked[n] {
				t.Errorf("life %d: pay_index is %d, and %d is not booked", life, st.PayIndex, n)
			}
		}
		if got := st.Streams[0].BalanceMsat; got != int64(len(booked)) {
			t.Errorf("life %d: balance %d of %d bookings", life, got, len(booked))
		}
		rows, err := l.PayStreams(t.Context(), ledger.Filter{Role: ledger.Payer})
		if err != nil {
			t.Fatal(err)
		}
		there := make(map[paystream.Handle]bool)
		for _, r := range rows {
			there[r.Handle] = true
		}
		for h := range opened {
			if !there[h] {
				t.Errorf("life %d: %s was acknowledged, and is lost", life, h)
			}
		}
		if err := l.Verify(t.Context()); err != nil {
			t.Errorf("life %d: %v", life, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// liveAndDie runs a child until it has acknowledged n commits, kills it, and
// returns everything that it acknowledged.
func liveAndDie(t *testing.T, path string, n int) (acks []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // it is dead, and all that it said is read
		}
		if acks = append(acks, strings.TrimSpace(line)); len(acks) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); len(acks) < n {
		t.Fatalf("the child acknowledged %d of %d commits and ended: %v", len(acks), n, err)
	}
	return acks
}

// child is the process that is killed: one goroutine books credits in the order
// of pay_index, others open pay streams as payers.
func child(path string) error {
	ctx := context.Background()
	l, err := ledger.Open(ctx, path)
	if err != nil {
		return err
	}
	st, err := l.LoadPayee(ctx, time.Time{})
	if err != nil {
		return err
	}
	payer, err := l.PayStreams(ctx, ledger.Filter{Role: ledger.Payer})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	ack := func(what string, n int, err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%s %d\n", what, n)
	}
	for c := range 7 {
		go func() {
			for n := len(payer) + 100 + c; ; n += 7 {
				ack("open", n, l.SavePayStream(ctx, journaltest.PayerStream(n)))
			}
		}()
	}
	r := journaltest.PayeeStream(0)
	for n := int(st.PayIndex) + 1; ; n++ {
		_, err := l.CommitPayee(ctx, paystream.PayeeBatch{Position: paystream.Position{PayIndex: uint64(n)}, Streams: []paystream.PayeeRecord{r},
			Bookings: []paystream.Booking{journaltest.Credit(n, r.Handle, 1)}})
		ack("credit", n, err)
	}
}
