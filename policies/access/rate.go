package access

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// rateLimit is "10/s", "10/m", "10/h" or "10/d": so many at once, and so many in
// each such time. All controllers of a profile share it, lest one connect again.
type rateLimit struct{ *rate.Limiter }

func (r *rateLimit) UnmarshalTOML(v any) error {
	s, _ := v.(string)
	count, unit, _ := strings.Cut(s, "/")
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[unit]
	n, err := strconv.Atoi(count)
	if err != nil || per == 0 || n < 1 {
		return errors.New(`a rate is "N/s", "N/m", "N/h" or "N/d"`)
	}
	r.Limiter = rate.NewLimiter(rate.Every(per/time.Duration(n)), n)
	return nil
}

// describe says what a limiter allows.
func describe(l *rate.Limiter) string {
	per := time.Duration(float64(l.Burst()) / float64(l.Limit()) * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%d in %s", l.Burst(), per)
}
