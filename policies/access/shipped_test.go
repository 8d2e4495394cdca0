package access_test

import (
	"path/filepath"
	"strings"
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

// A profile that takes passwords out of GETCONF tells them nowhere else.
func TestShippedProfilesTellNoPassword(t *testing.T) {
	const hash = "16:C0FFEE"
	asked := 0
	for _, user := range []string{"nyx", "stem", "txtorcon"} {
		policy, err := access.Open(filepath.Join("profiles", user+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		for cmd, said := range map[string]string{
			"GETCONF HashedControlPassword": "250 HashedControlPassword=" + hash + "\r\n",
			"GETINFO config-text":           "250+config-text=\r\nHashedControlPassword " + hash + "\r\n.\r\n250 OK\r\n",
			"SETEVENTS CONF_CHANGED":        "650-CONF_CHANGED\r\n650-HashedControlPassword=" + hash + "\r\n650 OK\r\n",
		} {
			g := admit(t, policy, access.WithUser(user))
			if got := say(g, cmd); got != cmd {
				continue // refused, or not heard
			}
			asked++
			heard := ""
			if strings.HasPrefix(said, "650") {
				heard = lines(g.Event, said)
			} else {
				heard = reply(t, g, cmd, said)
			}
			if strings.Contains(heard, hash) || !strings.Contains(heard, "HashedControlPassword") {
				t.Errorf("%s hears %q to %s", user, heard, cmd)
			}
		}
	}
	if asked < 5 {
		t.Errorf("%d questions were allowed", asked)
	}
}
