package doctor

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/el-tor/tops/cln"
	"github.com/el-tor/tops/ledger"
)

// lookAtHistory: does the node remember the last payment in the books? One that was
// restored from an older state does not.
func lookAtHistory(ctx context.Context, c *Case) []Finding {
	if !c.hasNode() || c.Config.Relay == nil || c.Planned {
		return nil
	}
	if c.runs() && c.Status.Restored != "" {
		return warning("compare what it holds with the books: tops ledger", "%s", c.Status.Restored)
	}
	books, err := ledger.OpenReader(ctx, c.Config.Ledger())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unchecked("whether the node remembers the last payment: %v", err)
	}
	defer books.Close()
	at, err := books.PayeePosition(ctx)
	if err == nil && at.PayIndex == 0 {
		return nil
	}
	remembers := false
	if err == nil {
		remembers, err = cln.NewReceiver(c.Node, cln.ReceiverOptions{}).Remembers(ctx, at)
	}
	switch {
	case err != nil:
		return unchecked("whether the node remembers the last payment: %v", err)
	case remembers:
		return ok("the node remembers the last one that is booked, its number %d", at.PayIndex)
	case at.PaidAt.IsZero():
		return warning("start tops, which looks through all of them once", "the node was paid less often than the books say (%d times): it was restored from an older state, or deletes paid invoices", at.PayIndex)
	}
	return warning("start tops, which looks once more at what came since then and credits nothing twice",
		"the node does not remember its number %d, paid %s: it was restored from an older state, or deletes paid invoices", at.PayIndex, at.PaidAt.Format(time.RFC3339))
}
