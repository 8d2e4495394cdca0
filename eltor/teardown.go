package eltor

import (
	"context"
	"errors"
	"strconv"

	"github.com/el-tor/tops/controlspec"
)

// teardown ends the circuit with an id. TEARDOWNCIRCUIT 0 would end any one, so 0
// never goes out, and nothing but a number ever does. One that has ended meanwhile
// is no error.
func teardown(ctx context.Context, t asker, id uint32) error {
	if id == 0 {
		return errors.New("no circuit has the id 0")
	}
	_, err := t.Do(ctx, "TEARDOWNCIRCUIT "+strconv.FormatUint(uint64(id), 10))
	var no *controlspec.ReplyError
	if errors.As(err, &no) && no.Code == 552 {
		return nil
	}
	return err
}
