package figures_test

import (
	"testing"
	"time"

	"github.com/el-tor/tops/internal/figures"
)

func TestFill(t *testing.T) {
	at := time.Date(2026, 3, 4, 2, 30, 0, 0, time.UTC)
	there := []figures.Bar{
		{From: at.Add(-30 * time.Hour), Msat: 1},
		{From: at.Truncate(time.Hour).Add(-3 * time.Hour), Msat: 10, Payments: 1},
		{From: at.Truncate(time.Hour), Msat: 100, Payments: 1},
		{From: at.Add(-time.Minute), Msat: 1000, Payments: 2},
		{From: at.Add(time.Hour), Msat: 10_000},
	}
	bars := figures.Fill(at, time.Hour, 24, there)
	if len(bars) != 24 || !bars[23].From.Equal(at.Truncate(time.Hour)) {
		t.Fatalf("%d bars, the last from %s", len(bars), bars[23].From)
	}
	if bars[23].Msat != 1100 || bars[23].Payments != 3 || bars[20].Msat != 10 || bars[0].Msat != 0 {
		t.Errorf("%+v", bars)
	}
	if got := figures.SinceMidnight(at, bars); got != 1100 {
		t.Errorf("since midnight %d, want what came after it, 1100", got)
	}
}
