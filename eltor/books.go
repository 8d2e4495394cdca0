package eltor

import (
	"context"

	"github.com/el-tor/tops/paystream"
)

// ReasonUnended is, in the books of a relay with dialect A, why a pay stream ended
// whose circuit was not paid, and went on all the same: this tor can end none.
const ReasonUnended paystream.Reason = "LATE_UNENDED"

// Books is the journal of a relay whose tor cannot end a circuit: the books say so
// at every pay stream that was not paid.
type Books struct{ paystream.PayeeJournal }

// CommitPayee implements paystream.PayeeJournal.
func (b Books) CommitPayee(ctx context.Context, batch paystream.PayeeBatch) ([]string, error) {
	streams := make([]paystream.PayeeRecord, len(batch.Streams))
	for i, s := range batch.Streams {
		if s.Reason == paystream.ReasonLate {
			s.Reason = ReasonUnended
		}
		streams[i] = s
	}
	batch.Streams = streams
	return b.PayeeJournal.CommitPayee(ctx, batch)
}
