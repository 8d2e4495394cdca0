//go:build !linux

package clock

import "time"

// began is the origin of Boot; only differences matter.
var began = time.Now()

// Boot counts from the start of the process. Without Linux's clock it stops
// while the machine sleeps.
func Boot() time.Duration { return time.Since(began) }
