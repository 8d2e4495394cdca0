// Package ledger is the memory of tops: the journal that payer and payee need
// to go on after a crash, and the books that people read.
//
// A [Ledger] is a SQLite file or a schema of a PostgreSQL database, spoken to in
// the SQL that both understand; what differs between them is a backend
// (backend.go, sqlite.go, postgres.go).
//
//	l, err := ledger.Open(ctx, "/var/lib/tops/ledger.db")
//	l, err := ledger.Open(ctx, "postgres://tops@db.example/tops?search_path=relay1")
//	defer l.Close()
//
// One process writes a ledger: [Open] takes a lock and says who must be asked
// when it cannot. Any number may read it meanwhile, with [OpenReader].
// [Ledger.Backup] copies it to a file, also while it is written, and [Restore]
// makes a ledger of that again, here or there.
//
// # The journal
//
// A Ledger is a [paystream.PayeeJournal] and a [paystream.PayerJournal]. What a
// call wrote is on the disk when it returns. Three rules are kept by the
// database itself, whatever an engine does:
//
//   - a payment hash is booked once, as a credit or as late; a payment that was
//     kept unclaimed may become either, once;
//   - pay_index never goes back, and is never ahead of the bookings that were
//     committed with it;
//   - a payment that is paid stays paid.
//
// What was paid and what was credited is stored nowhere but in the payments and
// bookings themselves, and summed up on loading: there is no second figure that
// a crash could leave behind.
//
// # Group commit
//
// A durable commit costs an fsync, and a disk does a few hundred to a few
// thousand of those a second. So there is one writer (writer.go): it takes
// whatever callers have queued while the last fsync ran, writes all of it in
// one transaction, each caller behind a savepoint of its own, and answers each
// with its own result. A batch that is refused is rolled back to its savepoint
// and the others never notice. The more callers, the more commits share an
// fsync.
//
// A connection to PostgreSQL can be lost with a commit under way. Then the writer
// connects again and looks whether the commit is there (doubt.go) before it
// answers anybody. If the database stays away, what was not committed is refused
// with [ErrAway].
//
// A caller may give up while it waits for its turn. Once the writer has taken
// the work, the call waits for the outcome even if its context ends: "not
// known" is no answer where money is concerned.
//
// # The books
//
// [Ledger.Totals], [Ledger.Spent] and [Ledger.Earnings] add up;
// [Ledger.PayStreams] and [Ledger.PayStream] tell the story of each pay stream,
// without its secrets.
//
// The books grow old in two steps, both taken by [Ledger.Tidy]. A day after the
// close of a pay stream [Ledger.Blur] takes its secrets, its circuit and the
// minutes of its times: amounts, handle and payment hashes stay. When the
// retention is over [Ledger.Forget] deletes it and keeps one line a day of it:
// afterwards the books say how much was earned on a day, and no longer by which
// pay stream. No sum changes in either.
// [Ledger.Verify] checks the file and the sums.
//
// Preimages, payment id hashes and the payer's secret are in the file, which is
// why it has mode 0600; they are in no error text, and not in what the books
// tell.
//
// Amounts are msat. Times are kept to the nanosecond and come back in UTC; the
// zero time stays zero.
package ledger
