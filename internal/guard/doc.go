// Package guard puts tor back as it was when tops dies without a word.
//
// A client of tops asks tor to leave streams unattached, so that it can attach its
// own. If it were killed then, every stream of every program that uses this tor
// would wait for ever. So a small process of the same binary, the guardian, lives
// beside it and does nothing but read from a pipe. While the parent lives the pipe
// is open. A parent that ends cleanly has put tor back itself and says so; when
// the pipe just closes, the guardian does it: the options, from the file in which
// they were written down before tor was told anything, and the waiting streams.
//
//	g, err := guard.Start(ctx, args)               // in the parent: the guardian's command line
//	err = g.Release()                              // after tor was put back; else g.Abandon()
//
//	err := guard.Watch(os.Stdin, os.Stdout, ward)  // in the guardian
//
// One guardian at a time holds a lock beside the file. A parent that is started
// again at once waits until the guardian of the one before is done, so that the
// two do not undo each other's work.
package guard
