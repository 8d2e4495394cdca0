package eltor

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// ended begins the one reply of TEARDOWNCIRCUIT after which a circuit has ended:
// others begin with 250 too, and nothing was done.
const ended = "OK SPEC-COMPLIANT TEARDOWN"

// teardown ends the circuit with an id. TEARDOWNCIRCUIT 0 would end any one, so 0
// never goes out, and nothing but a number ever does. One that has ended meanwhile
// is no error.
func teardown(ctx context.Context, t asker, id uint32) error {
	if id == 0 {
		return errors.New("no circuit has the id 0")
	}
	reply, err := t.Do(ctx, "TEARDOWNCIRCUIT "+strconv.FormatUint(uint64(id), 10))
	var no *controlspec.ReplyError
	switch {
	case errors.As(err, &no) && no.Code == 552:
		return nil
	case err != nil:
		return err
	case !strings.HasPrefix(reply.Lines[0].Text, ended):
		return errors.New("tor has not ended it: it was not open")
	}
	return nil
}
