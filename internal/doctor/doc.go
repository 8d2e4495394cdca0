// Package doctor looks at everything that a tops needs, and says of each thing
// whether it is well, and if not, what to do.
//
//	c := doctor.Open(ctx, cfg)
//	defer c.Close()
//	for _, f := range doctor.Examine(ctx, c) {
//		fmt.Println(f.Check, f.State, f.What, f.Do)
//	}
//
// A [Case] is what is looked at: a configuration, and the tor, the Lightning node
// and the running tops that it leads to. What does not answer is a finding like
// any other; what depends on it is passed over.
//
// A check is a name and a function ([checks] lists them all, in the order in which
// a person would ask). It looks only: the one exception is the way to the gateway
// through tor, for which a circuit is built and taken down, and an option of tor's
// set and put back.
//
// `tops relay init` asks the same questions of a configuration that is not written
// yet ([Case.Planned]), and leaves out those about what would be running.
package doctor
