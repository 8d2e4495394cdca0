package plugin

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/el-tor/tops/internal/config"
	"github.com/elementsproject/glightning/glightning"
)

// The two options that are no twin of a key.
const (
	optionConfig = "tops-config"
	optionRole   = "tops-role"
)

// option is the twin of one key of the configuration.
type option struct {
	config.Key
	name string // as lightningd knows it
}

// path is the key's table and its name in it, or its name alone.
func (o option) path() []string { return strings.Split(o.Name, ".") }

// twins lists the options, a twin for each key, in their order. What the plugin
// is about needs no table in its name, unless two tables have the same key.
func twins() []option {
	keys := map[string]int{}
	for _, k := range config.Keys() {
		keys[short(k)]++
	}
	var out []option
	for _, k := range config.Keys() {
		name := short(k)
		if keys[name] > 1 {
			name = k.Name
		}
		if name = "tops-" + strings.NewReplacer("_", "-", ".", "-").Replace(name); name != "tops-lightning-rpc" {
			out = append(out, option{k, name})
		}
	}
	return out
}

// short is a key's name without the table of a role or of the proxy.
func short(k config.Key) string {
	switch k.Table() {
	case "proxy", "client", "relay":
		return strings.TrimPrefix(k.Name, k.Table()+".")
	}
	return k.Name
}

// manifestOptions are the options as the manifest lists them. All are strings:
// lightningd has no way to say that a number was not given.
func manifestOptions() []glightning.Option {
	out := []glightning.Option{
		glightning.NewStringOption(optionConfig, "TOPS: path of a configuration, tops.toml. Every other option wins over it", ""),
		glightning.NewStringOption(optionRole, "TOPS: client, relay, or client,relay. Default: the tables of tops-config", ""),
	}
	for _, o := range twins() {
		out = append(out, glightning.NewStringOption(o.name, fmt.Sprintf("TOPS: %s Default %s (%s, %s in tops.toml)", o.Doc, config.TOML(o.Default()), o.Kind(), o.Name), ""))
	}
	return out
}

// configure makes the text of a configuration: the file's, if one is named, the
// options over it, the node that started us over both.
func configure(given map[string]any, dataDir, socket string) (string, error) {
	value := func(name string) string {
		if v := given[name]; v != nil {
			return strings.TrimSpace(fmt.Sprint(v))
		}
		return ""
	}
	tree := map[string]any{}
	if path := value(optionConfig); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if err := toml.Unmarshal(text, &tree); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := takeRoles(tree, value(optionRole)); err != nil {
		return "", err
	}
	for _, o := range twins() {
		text := value(o.name)
		if text == "" {
			continue
		}
		v, err := o.Parse(text)
		if err != nil {
			return "", fmt.Errorf("option %s: %w", o.name, err)
		}
		if err := o.set(tree, v); err != nil {
			return "", err
		}
	}
	if _, ok := tree["data_dir"]; !ok {
		tree["data_dir"] = dataDir
	}
	if err := (option{Key: config.Key{Name: "lightning.rpc"}}).set(tree, socket); err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Written by tops, from its options in lightningd. It is written anew at every start.\n")
	err := toml.NewEncoder(&b).Encode(tree)
	return b.String(), err
}

// takeRoles leaves the tables of the roles that are named.
func takeRoles(tree map[string]any, roles string) error {
	if roles == "" {
		return nil
	}
	names := strings.Split(roles, ",")
	for _, role := range []string{"client", "relay"} {
		if !slices.Contains(names, role) {
			delete(tree, role)
		} else if tree[role] == nil {
			tree[role] = map[string]any{}
		}
	}
	for _, name := range names {
		if name != "client" && name != "relay" {
			return fmt.Errorf("option %s: %q is neither client nor relay", optionRole, name)
		}
	}
	return nil
}

// set enters a value. It makes no role of an option: whoever misses one should
// say so.
func (o option) set(tree map[string]any, v any) error {
	path := o.path()
	if len(path) == 1 {
		tree[path[0]] = v
		return nil
	}
	table := path[0]
	if tree[table] == nil {
		if table == "client" || table == "relay" {
			return fmt.Errorf("option %s is for the role %s: set %s too", o.name, table, optionRole)
		}
		tree[table] = map[string]any{}
	}
	t, ok := tree[table].(map[string]any)
	if !ok {
		return fmt.Errorf("%s is no table in the configuration", table)
	}
	t[path[1]] = v
	return nil
}
