package access_test

import (
	"testing"

	"github.com/el-tor/tops/policies/access"
)

// The profiles that we ship load together, and each keeps its vectors.
func TestShippedProfiles(t *testing.T) {
	set, ran, err := access.Check("profiles")
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Profiles) != 8 || ran < 8*8 {
		t.Errorf("%d profiles with %d vectors", len(set.Profiles), ran)
	}
}
