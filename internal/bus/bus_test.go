package bus_test

import (
	"testing"
	"testing/synctest"

	"github.com/el-tor/tops/internal/bus"
)

func TestASlowSubscriberHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bus.Bus[int]
		hold := make(chan struct{})
		var slow, fast []int
		var lost int
		cancelSlow := b.Subscribe(func(v, dropped int) {
			<-hold
			slow, lost = append(slow, v), lost+dropped
		})
		cancelFast := b.Subscribe(func(v, _ int) { fast = append(fast, v) })
		b.Publish(0)
		synctest.Wait() // the slow one has taken the first and sits on it
		for i := 1; i < bus.Backlog+11; i++ {
			b.Publish(i)
			synctest.Wait()
		}
		if len(fast) != bus.Backlog+11 {
			t.Errorf("the fast one heard %d of %d", len(fast), bus.Backlog+11)
		}
		close(hold)
		synctest.Wait()
		if lost != 10 || len(slow) != bus.Backlog+1 || slow[1] != 11 {
			t.Errorf("the slow one heard %d, lost %d, went on with %d; want %d, 10, 11", len(slow), lost, slow[1], bus.Backlog+1)
		}
		cancelSlow()
		cancelFast()
	})
}
