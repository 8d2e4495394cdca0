// Package config is tops.toml: what a user may decide, with its defaults.
//
// A configuration names its roles by its tables: a [client] table makes tops a
// payer, a [relay] table makes it a payee, both make it both, and neither
// leaves the transparent control-port proxy alone.
//
//	c, err := config.Load("tops.toml")
//	l, err := config.Sources{File: "tops.toml", Environ: os.Environ(), Set: flags}.Load()
//
// The environment wins over the file, and the command line over both; a [Loaded]
// says where each value comes from. Neither makes a role: that takes a table.
// Unknown keys are errors, because a budget that is misspelt is no budget.
// Amounts are msat and say so in their names; durations are written as Go
// writes them ("30s", "10m").
//
// The types are the only list of keys. [Keys] reads them, with their doc tags, and
// everything else follows: the commented example, the variables, the plugin's
// options. A new key is a field with the tags toml and doc, its default in
// defaults.go, and what it must hold in check.go; a tag secret:"url" masks the
// passwords in it wherever it is shown.
package config
