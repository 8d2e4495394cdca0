package fault_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/el-tor/tops/internal/fault"
)

func TestOf(t *testing.T) {
	err := errors.New("no")
	for _, tt := range []struct {
		err  error
		want fault.Class
	}{
		{nil, fault.None},
		{err, fault.Other},
		{fault.Mark(fault.Books, nil), fault.None},
		{fault.Mark(fault.Books, err), fault.Books},
		{fmt.Errorf("run: %w", fault.Mark(fault.Tor, err)), fault.Tor},
		{fault.Mark(fault.Usage, fmt.Errorf("run: %w", fault.Mark(fault.Tor, err))), fault.Tor},
		{errors.Join(err, fault.Mark(fault.Lightning, err)), fault.Lightning},
		{fault.Mark(fault.Tor, &fs.PathError{Op: "open", Path: "cookie", Err: fs.ErrPermission}), fault.Permission},
	} {
		if got := fault.Of(tt.err); got != tt.want {
			t.Errorf("%v is %q, want %q", tt.err, got, tt.want)
		}
	}
	if got := fmt.Sprint(fault.Mark(fault.Books, err)); got != "no" {
		t.Errorf("a marked error says %q", got)
	}
	for i, c := range fault.Classes() {
		if c.Code() != i || c.String() == "" {
			t.Errorf("class %d: code %d, %q", i, c.Code(), c)
		}
	}
}
