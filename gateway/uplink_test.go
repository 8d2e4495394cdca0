package gateway

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever the flows want, and however many connections each has: none that
// wants more gets less than another, who wants little gets it, and nothing is
// wasted or given twice.
func TestUplinkIsMaxMinFair(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type want struct {
			conns int
			rate  float64 // bytes a second that it has to send; Inf: always more
		}
		const seconds = 20
		rate := rapid.Int64Range(100_000, 50_000_000).Draw(rt, "rate")
		var wants []want
		for range rapid.IntRange(1, 12).Draw(rt, "flows") {
			w := want{rapid.IntRange(1, 20).Draw(rt, "connections"), math.Inf(1)}
			if rapid.Bool().Draw(rt, "modest") {
				w.rate = rapid.Float64Range(0.01, 0.5).Draw(rt, "share") * float64(rate)
				w.conns = 1
			}
			wants = append(wants, w)
		}
		got := make([]atomic.Int64, len(wants))
		synctest.Test(t, func(*testing.T) {
			u := newUplink(rate)
			done := make(chan struct{})
			for i, w := range wants {
				f := new(flow)
				for range w.conns {
					go func() {
						begin := time.Now()
						for {
							n := u.take(f, u.quantum, done)
							if n == 0 {
								return
							}
							sent := got[i].Add(n)
							if early := time.Duration(float64(sent)/w.rate*1e9) - time.Since(begin); early > 0 && !math.IsInf(w.rate, 1) {
								select {
								case <-time.After(early):
								case <-done:
									return
								}
							}
						}
					}()
				}
			}
			time.Sleep(seconds * time.Second)
			close(done)
			synctest.Wait()
		})

		// Max-min: fill everybody up at the same speed.
		left, fair := float64(rate), make([]float64, len(wants))
		for open := len(wants); open > 0 && left > 1; {
			step := left / float64(open)
			open = 0
			for i, w := range wants {
				give := min(step, w.rate-fair[i])
				fair[i] += give
				left -= give
				if fair[i] < w.rate {
					open++
				}
			}
		}
		total := int64(0)
		for i, w := range wants {
			total += got[i].Load()
			is := float64(got[i].Load()) / seconds
			if math.Abs(is-fair[i]) > 0.03*float64(rate)/float64(len(wants))+0.02*fair[i]+2*float64(maxQuantum)/seconds {
				rt.Errorf("flow %d, %d connections, wants %.0f B/s: got %.0f, a fair share is %.0f", i, w.conns, w.rate, is, fair[i])
			}
		}
		if most := float64(rate)*seconds + 2*maxQuantum; float64(total) > most {
			rt.Errorf("%d bytes in %d s at %d B/s", total, seconds, rate)
		}
	})
}

// Who gives up in the queue takes nothing with him.
func TestUplinkGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUplink(1_000_000)
		var a, b flow
		forEver := make(chan struct{})
		u.tokens = 0
		gone, got := make(chan struct{}), make(chan int64)
		go func() { got <- u.take(&a, 1, gone) }()
		go func() { got <- u.take(&b, 2, forEver) }()
		synctest.Wait()
		close(gone)
		if n := <-got; n != 0 {
			t.Errorf("who gave up got %d", n)
		}
		if n := <-got; n != 2 {
			t.Errorf("the other got %d", n)
		}
		time.Sleep(time.Second)
		u.mu.Lock()
		defer u.mu.Unlock()
		if len(u.queue) != 0 || u.timer != nil {
			t.Errorf("%d flows wait", len(u.queue))
		}
	})
}
