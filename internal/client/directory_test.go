package client

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/el-tor/tops/controlspec"
)

// tor says whose descriptors are new; those alone are read again.
func TestDirectoryFollowsDescriptors(t *testing.T) {
	d := newDirectory()
	if changed, all := d.takeChanged(); !all || len(changed) > 0 {
		t.Errorf("at first: %v, all %v; want that all are read", changed, all)
	}
	a, b := strings.Repeat("A", 40), strings.Repeat("B", 40)
	event := func(text string) {
		d.Event(t.Context(), controlspec.Reply{Lines: []controlspec.ReplyLine{{Code: 650, Sep: ' ', Text: text}}})
	}
	event("NEWDESC $" + a + "~one $" + strings.ToLower(b) + "=two short")
	event("SIGNAL NEWNYM")
	changed, all := d.takeChanged()
	if got := slices.Sorted(maps.Keys(changed)); all || !slices.Equal(got, []string{a, b}) {
		t.Errorf("changed %v, all %v; want two relays", got, all)
	}
	if changed, all := d.takeChanged(); all || len(changed) > 0 {
		t.Errorf("then %v, all %v; want nothing", changed, all)
	}
	if err := d.Connected(t.Context(), nil); err != nil || !d.all {
		t.Error("what was missed without a connection is not read")
	}
}
