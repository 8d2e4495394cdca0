package plugin

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
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
	name  string   // as lightningd knows it
	path  []string // of the key: table and name, or name alone
	value reflect.Type
}

// twins lists the options, a twin for each key of config.Config, in its order.
func twins() []option {
	var out []option
	add := func(f reflect.StructField, table string) {
		key := f.Tag.Get("toml")
		words := []string{"tops", key}
		path := []string{key}
		switch table {
		case "":
		case "tor", "lightning":
			words, path = []string{"tops", table, key}, []string{table, key}
		default:
			path = []string{table, key}
		}
		if name := strings.ReplaceAll(strings.Join(words, "-"), "_", "-"); name != "tops-lightning-rpc" {
			out = append(out, option{name, path, f.Type})
		}
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		table := f.Type
		if table.Kind() == reflect.Pointer {
			table = table.Elem()
		}
		if table.Kind() != reflect.Struct {
			add(f, "")
			continue
		}
		for _, k := range reflect.VisibleFields(table) {
			add(k, f.Tag.Get("toml"))
		}
	}
	return out
}

// manifestOptions are the options as the manifest lists them. All are strings:
// lightningd has no way to say that a number was not given.
func manifestOptions() []glightning.Option {
	out := []glightning.Option{
		glightning.NewStringOption(optionConfig, "TOPS: path of a configuration, tops.toml. Every other option wins over it", ""),
		glightning.NewStringOption(optionRole, "TOPS: client, relay, or client,relay. Default: the tables of tops-config", ""),
	}
	for _, o := range twins() {
		out = append(out, glightning.NewStringOption(o.name, fmt.Sprintf("TOPS: %s in tops.toml (%s)", strings.Join(o.path, "."), o.kind()), ""))
	}
	return out
}

// kind says what a value looks like.
func (o option) kind() string {
	switch o.value.Kind() {
	case reflect.Slice:
		return "a list, separated by commas"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float64:
		return "a number"
	default:
		if o.value == reflect.TypeFor[config.Duration]() {
			return "a duration such as 60s"
		}
		return "a whole number"
	}
}

// parse reads a value as the configuration file has it.
func (o option) parse(text string) (v any, err error) {
	switch o.value.Kind() {
	case reflect.Slice:
		return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }), nil
	case reflect.Bool:
		v, err = strconv.ParseBool(text)
	case reflect.Float64:
		v, err = strconv.ParseFloat(text, 64)
	case reflect.String:
		v = text
	default:
		if o.value == reflect.TypeFor[config.Duration]() {
			return text, nil
		}
		v, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("option %s: %q is not %s", o.name, text, o.kind())
	}
	return v, nil
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
		v, err := o.parse(text)
		if err != nil {
			return "", err
		}
		if err := o.set(tree, v); err != nil {
			return "", err
		}
	}
	if _, ok := tree["data_dir"]; !ok {
		tree["data_dir"] = dataDir
	}
	if err := (option{path: []string{"lightning", "rpc"}}).set(tree, socket); err != nil {
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
	if len(o.path) == 1 {
		tree[o.path[0]] = v
		return nil
	}
	table := o.path[0]
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
	t[o.path[1]] = v
	return nil
}
