//go:build !world

package fleet_test

import (
	"path/filepath"
	"testing"
)

// places are where each relay has its books.
func places(t *testing.T) func(name string) string {
	dir := t.TempDir()
	return func(name string) string { return filepath.Join(dir, name+".db") }
}
