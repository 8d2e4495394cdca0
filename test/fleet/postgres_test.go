//go:build world

package fleet_test

import (
	"testing"

	"github.com/el-tor/tops/internal/testpg"
)

// places are where each relay has its books: schemas of one database.
func places(t *testing.T) func(name string) string {
	server, err := testpg.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}
