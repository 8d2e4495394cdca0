package cln

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Msat is an amount in millisatoshis. It is read from either of the forms that Core Lightning has used, 1000 and
// "1000msat", and written as the first.
type Msat int64

// UnmarshalJSON reads an amount.
func (m *Msat) UnmarshalJSON(b []byte) error {
	digits := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &digits); err != nil {
			return err
		}
		digits = strings.TrimSuffix(digits, "msat")
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return fmt.Errorf("%.40q is no amount in millisatoshis", b)
	}
	*m = Msat(n)
	return nil
}

// Time is a moment that Core Lightning gives in seconds, whole or not.
type Time struct{ time.Time }

// UnmarshalJSON reads a number of seconds since 1970.
func (t *Time) UnmarshalJSON(b []byte) error {
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil && n >= 0 && n < maxUnix {
		t.Time = time.Unix(n, 0)
		return nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f >= 0 && f < maxUnix) {
		return fmt.Errorf("%.40q is no time in seconds", b)
	}
	whole, part := math.Modf(f)
	t.Time = time.Unix(int64(whole), int64(part*1e9))
	return nil
}

// maxUnix is in the year 9999.
const maxUnix = 253402300800

// seconds writes a duration as the whole seconds that commands take: rounded up, and at least one.
func seconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
