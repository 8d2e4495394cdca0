package eltor

import "fmt"

// State is what a carrier keeps over a restart. It is secret: it holds what the
// payers of the circuits could be robbed of.
type State struct {
	Circuits []CircuitState `json:"circuits"`
}

// CircuitState is one circuit that is served.
type CircuitState struct {
	Circuit uint32 `json:"circuit,omitempty"`
	Payload string `json:"payload"`
}

// load takes up the circuits of an earlier process, as if they had just been told
// of: those that never paid are unknown to the engine, and begin anew.
func (c *Carrier) load() error {
	if c.cfg.Load == nil {
		return nil
	}
	var state State
	if err := c.cfg.Load(&state); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now()
	for _, s := range state.Circuits {
		p, err := ParsePayload(s.Payload)
		if err != nil {
			return fmt.Errorf("a circuit in the state file: %w", err)
		}
		s := &served{circuit: s.Circuit, payload: p, handle: p.Hash.Handle(), since: now}
		c.byHash[p.Hash] = s
	}
	return nil
}

// save writes down which circuits are served, if that has changed.
func (c *Carrier) save() {
	if c.cfg.Save == nil {
		return
	}
	c.mu.Lock()
	if !c.unsaved {
		c.mu.Unlock()
		return
	}
	var state State
	for _, s := range c.byHash {
		state.Circuits = append(state.Circuits, CircuitState{Circuit: s.circuit, Payload: s.payload.String()})
	}
	c.unsaved = false
	c.mu.Unlock()
	if err := c.cfg.Save(state); err != nil {
		c.count(func(*Stats) { c.unsaved = true })
		c.failed(fmt.Errorf("the circuits that are served cannot be written down: %w", err))
	}
}
