//go:build linux

package tor_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/el-tor/tops/controlspec"
	"github.com/el-tor/tops/internal/testnet"
	"github.com/el-tor/tops/internal/tor"
)

// words is how terms are added to the operator's ContactInfo.
func words(base []string) []string {
	return []string{strings.TrimSpace(strings.Join(base, " ") + " tops:1")}
}

// saved is where Settings save, as JSON as a file would have it.
type saved struct {
	mu   sync.Mutex
	text []byte
}

func (s *saved) save(state tor.SettingsState) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, err = json.Marshal(state)
	return err
}

func (s *saved) state(t *testing.T) (state tor.SettingsState) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.Unmarshal(s.text, &state); err != nil {
		t.Fatal(err)
	}
	return state
}

// operate changes a node's torrc, as an operator, and reloads it.
func operate(t *testing.T, node *testnet.Node, line string) {
	t.Helper()
	path := filepath.Join(node.Dir, "torrc")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, line+"\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	reload(t, node)
}

// reload sends SIGHUP and waits until it was done.
func reload(t *testing.T, node *testnet.Node) {
	t.Helper()
	c := dial(t, node)
	do(t, c, "SETEVENTS SIGNAL")
	if err := node.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.NextEvent(within(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
}

func conf(t *testing.T, c *tor.Conn, key string) string {
	t.Helper()
	_, value, _ := strings.Cut(do(t, c, "GETCONF "+key), "=")
	if v, _, err := controlspec.Unquote(value); err == nil {
		return v
	}
	return value
}

func TestSettings(t *testing.T) {
	node := realNetwork(t).Relays[0]
	const operator = `Ünïcode "quoted" back\slash <a@b.example>`
	operate(t, node, "ContactInfo "+operator)
	other, parent := dial(t, node), t
	if got := conf(t, other, "ContactInfo"); got != operator {
		t.Fatalf("ContactInfo = %q, want %q", got, operator)
	}

	var disk saved
	failed := func(err error) { t.Error(err) }
	settings := tor.NewSettings(tor.SettingsState{}, disk.save, failed)
	client := start(t, node, settings)
	ours := tor.Setting{Key: "ContactInfo", Apply: words}
	policy := tor.Fixed("ExitPolicy", "accept 198.18.0.2:9402,reject private:*,reject *:*")
	if err := settings.Set(within(t, 10*time.Second), ours, policy); err != nil {
		t.Fatal(err)
	}
	holds := func(want string) func() bool {
		return func() bool { return conf(t, other, "ContactInfo") == want }
	}
	if !holds(operator + " tops:1")() {
		t.Fatalf("ContactInfo = %q after Set", conf(t, other, "ContactInfo"))
	}

	t.Run("reload", func(t *testing.T) {
		reload(t, node)
		eventually(t, "ours again", holds(operator+" tops:1"))
		eventually(t, "policy again", func() bool { return strings.HasPrefix(conf(t, other, "ExitPolicy"), "accept 198.18.0.2:9402") })
	})
	t.Run("the operator changes torrc", func(t *testing.T) {
		operate(t, node, "ContactInfo second")
		eventually(t, "ours on the new base", holds("second tops:1"))
	})
	t.Run("another controller", func(t *testing.T) {
		do(t, other, "SETCONF ContactInfo=third")
		eventually(t, "ours on the new base", holds("third tops:1"))
		do(t, other, "RESETCONF ContactInfo")
		eventually(t, "ours on no base", holds("tops:1"))
		do(t, other, "SETCONF ContactInfo=third")
		eventually(t, "ours on the new base", holds("third tops:1"))
	})
	t.Run("refused", func(t *testing.T) {
		err := settings.Set(within(t, 10*time.Second), tor.Fixed("ORPort", "nonsense"), tor.Fixed("ContactInfo", "lost"))
		if err == nil || !strings.Contains(err.Error(), "ORPort") {
			t.Errorf("error %v, want tor's about ORPort", err)
		}
		if !holds("third tops:1")() {
			t.Errorf("ContactInfo = %q after a refused Set", conf(t, other, "ContactInfo"))
		}
		reload(t, node)
		eventually(t, "ours again", holds("second tops:1"))
	})
	t.Run("restart of tor", func(t *testing.T) {
		if err := node.Restart(within(t, 30*time.Second)); err != nil {
			t.Fatal(err)
		}
		other = dial(parent, node)
		eventually(t, "ours again", holds("second tops:1"))
	})
	t.Run("killed, then undo", func(t *testing.T) {
		client.Close() // as a killed process: nothing is restored
		if !holds("second tops:1")() {
			t.Fatalf("ContactInfo = %q after Close", conf(t, other, "ContactInfo"))
		}
		again := tor.NewSettings(disk.state(t), disk.save, failed)
		start(t, node, again)
		if err := again.Set(within(t, 10*time.Second), ours, policy); err != nil {
			t.Fatal(err)
		}
		if want := []string{"second"}; !cmp.Equal(again.Base("ContactInfo"), want) {
			t.Errorf("base %q, want %q", again.Base("ContactInfo"), want)
		}
		undo := tor.NewSettings(disk.state(t), disk.save, failed)
		start(t, node, undo)
		if err := again.Restore(within(t, 10*time.Second), "ExitPolicy"); err != nil {
			t.Fatal(err)
		}
		if got := conf(t, other, "ExitPolicy"); got != "reject *:*" {
			t.Errorf("ExitPolicy = %q, want the operator's", got)
		}
		if err := again.Restore(within(t, 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		if !holds("second")() {
			t.Errorf("ContactInfo = %q after Restore", conf(t, other, "ContactInfo"))
		}
		if left := disk.state(t); len(left.Options) != 0 {
			t.Errorf("saved after Restore: %v", left)
		}
		if err := undo.Restore(within(t, 10*time.Second)); err != nil {
			t.Errorf("undo of what is undone: %v", err)
		}
		if !holds("second")() {
			t.Errorf("ContactInfo = %q after a second undo", conf(t, other, "ContactInfo"))
		}
	})
}

// A process that dies with a SETCONF under way leaves behind what it takes to
// undo both outcomes.
func TestSettingsInDoubt(t *testing.T) {
	var disk saved
	address := fakeTor(t, open(func(line string) string {
		switch {
		case strings.HasPrefix(line, "GETCONF"):
			return "250 ContactInfo=theirs\r\n"
		case strings.HasPrefix(line, "SETCONF"):
			return "!" // the connection is lost
		}
		return "250 OK\r\n"
	}))
	settings := tor.NewSettings(tor.SettingsState{}, disk.save, nil)
	config := tor.Config{Options: tor.Options{Address: address}, Handlers: []tor.Handler{settings}}
	client, err := tor.Start(within(t, 10*time.Second), config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := settings.Set(t.Context(), tor.Setting{Key: "ContactInfo", Apply: words}); err == nil {
		t.Error("Set on a lost connection: no error")
	}

	for name, value := range map[string]string{"it was done": "theirs tops:1", "it was not": "theirs", "the operator came": "other"} {
		t.Run(name, func(t *testing.T) {
			now := value
			address := fakeTor(t, open(func(line string) string {
				if strings.HasPrefix(line, "GETCONF") {
					return "250 contactinfo=" + now + "\r\n"
				}
				if set, ok := strings.CutPrefix(line, "SETCONF ContactInfo="); ok {
					now = strings.Trim(set, `"`)
				}
				return "250 OK\r\n"
			}))
			undo := tor.NewSettings(disk.state(t), nil, nil)
			config := tor.Config{Options: tor.Options{Address: address}, Handlers: []tor.Handler{undo}}
			client, err := tor.Start(within(t, 10*time.Second), config)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := undo.Restore(within(t, 10*time.Second)); err != nil {
				t.Fatal(err)
			}
			if want := strings.TrimSuffix(value, " tops:1"); now != want {
				t.Errorf("ContactInfo = %q after undo, want %q", now, want)
			}
		})
	}
}
