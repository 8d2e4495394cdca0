package clndata

import (
	"encoding/json"
	"fmt"
)

// CheckCall holds both sides of one call to the schemas: params as they were sent, answer as it went over the wire. A
// call that the node refused for its parameters is not held to the schema of requests, since that is what was refused.
func (d *Data) CheckCall(method string, params, answer []byte) error {
	if d == nil {
		return nil
	}
	var a struct {
		Result json.RawMessage
		Error  *struct{ Code int }
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("answer to %s: %w", method, err)
	}
	const wrongParameters, unknownMethod = -32602, -32601
	if a.Error != nil && (a.Error.Code == wrongParameters || a.Error.Code == unknownMethod) {
		return nil
	}
	if err := d.CheckRequest(method, params); err != nil {
		return err
	}
	if a.Error != nil {
		return nil
	}
	return d.CheckResponse(method, a.Result)
}
