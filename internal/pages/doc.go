// Package pages reads the documentation as its tests need it: its blocks of code,
// the commands in them, and its links.
//
//	all, err := pages.Read("../..")
//	for _, p := range all {
//		for _, c := range p.Commands() { … }
//	}
//
// The convention: what a reader types stands in a block that is fenced as sh, a
// line a command; configuration in one of toml, torrc or ini; everything else in
// one of text, or indented, and is a picture.
package pages
