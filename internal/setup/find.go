package setup

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
)

// FindTor is where this machine's tor listens for controllers, as Debian's has it:
// its socket, that of an instance of it (tor-instance-create(8)), or else the usual
// port.
func FindTor() string {
	instances, _ := filepath.Glob("/run/tor-instances/*/control")
	for _, path := range append([]string{"/run/tor/control"}, instances...) {
		if isSocket(path) {
			return "unix:" + path
		}
	}
	return "127.0.0.1:9051"
}

// Node is a lightningd's socket that was found.
type Node struct {
	Path    string `json:"path"`
	Network string `json:"network"`
}

// Where lightningd keeps its directory: its default in the home of whoever runs
// it, and what packages and guides make of it.
var lightningDirs = []string{
	"/root/.lightning", "/home/*/.lightning",
	"/var/lib/lightning", "/var/lib/lightningd", "/var/lib/clightning", "/var/lib/*/.lightning",
	"/run/lightning", "/run/lightningd", "/data/lightning", "/data/lightningd", "/data/cln",
}

// networks are Core Lightning's, the one with real money first. The socket is in a
// directory of that name.
var networks = []string{"bitcoin", "testnet", "testnet4", "signet", "regtest"}

// FindNodes looks for lightning-rpc in the usual places: those of real money first.
func FindNodes() []Node {
	dirs := slices.Clone(lightningDirs)
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".lightning"))
	}
	return findNodes(dirs)
}

func findNodes(patterns []string) (found []Node) {
	for _, pattern := range patterns {
		for _, network := range networks {
			paths, _ := filepath.Glob(filepath.Join(pattern, network, "lightning-rpc"))
			for _, path := range paths {
				if isSocket(path) {
					found = append(found, Node{path, network})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b Node) int {
		return cmp.Or(cmp.Compare(slices.Index(networks, a.Network), slices.Index(networks, b.Network)), cmp.Compare(a.Path, b.Path))
	})
	return slices.Compact(found)
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Type() == os.ModeSocket
}
