// Package manual writes the manual pages of tops: tops(1), a page for each of its
// commands, and tops.toml(5).
//
// Nothing of them is written twice. The commands come from kong's model of the
// command line, the keys from package config, the exit codes from package fault:
// who changes a help text has changed the page.
//
//	for _, page := range manual.Pages(kong.Model, manual.Options{Version: "1.0", Date: day}) {
//		os.WriteFile(page.File(), page.Text, 0o644)
//	}
//
// The pages use the man(7) macros, which groff and mandoc both read.
package manual
