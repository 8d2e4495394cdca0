package control

import "context"

// LeaveStreams notes that a controller wants to attach streams itself.
func (e *Engine) LeaveStreams(context.Context) error {
	if e.Client == nil {
		return nil
	}
	return e.Client.LeaveStreams()
}
