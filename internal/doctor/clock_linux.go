package doctor

import "golang.org/x/sys/unix"

// synchronised asks the kernel whether something keeps its clock right
// (adjtimex(2)).
func synchronised() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err != nil || state != unix.TIME_ERROR // not allowed to ask: no complaint
}
