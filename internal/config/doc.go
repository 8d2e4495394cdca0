// Package config is tops.toml: what a user may decide, with its defaults.
//
// A configuration names its roles by its tables: a [client] table makes tops a
// payer, a [relay] table makes it a payee, both make it both, and neither
// leaves the transparent control-port proxy alone.
//
//	c, err := config.Load("tops.toml")
//
// Unknown keys are errors, because a budget that is misspelt is no budget.
// Amounts are msat and say so in their names; durations are written as Go
// writes them ("30s", "10m").
package config
