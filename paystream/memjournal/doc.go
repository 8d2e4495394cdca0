// Package memjournal keeps the journals of payer and payee in memory: a test
// double for engine tests, with the same semantics as the ledger on disk.
//
//	j := memjournal.New()
//	payee := paystream.NewPayee(paystream.PayeeConfig{Journal: j, …})
//
// It has no goroutines and never waits, so that it can be used inside a
// testing/synctest bubble. A crash is played by making a second engine from
// the same journal, since what was committed is all that an engine may rely
// on. [Journal.Fail] makes commits fail, as a full disk would.
//
// It imports nothing of the engine but its types. Package journaltest, beside
// it, is the test that both journals pass; whoever writes a third one runs it
// too:
//
//	func TestJournal(t *testing.T) {
//		journaltest.Run(t, func(t *testing.T) journaltest.Journal { return mine.New() })
//	}
package memjournal
