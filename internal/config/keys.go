package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Key is one thing that a user may decide.
type Key struct {
	Name    string // as in tops.toml, its tables before it: client.day_msat
	Doc     string // what it is and why, in a sentence
	Example string // what it may look like, if its default says nothing

	role   string // the table that has to be there, if it makes a role
	secret bool   // may hold a password
	typ    reflect.Type
	index  [][]int // fields from Config down
}

// Table is a table of tops.toml.
type Table struct {
	Name string // empty: the keys before the first table
	Doc  string
	Role bool // it makes tops a payer or a payee
	Keys []Key
}

// Tables lists all there is, in the order of the types.
func Tables() []Table {
	return tables(reflect.TypeFor[Config](), Table{}, nil, "")
}

func tables(t reflect.Type, here Table, index [][]int, role string) []Table {
	var below []Table
	for _, f := range reflect.VisibleFields(t) {
		name := f.Tag.Get("toml")
		if here.Name != "" {
			name = here.Name + "." + name
		}
		path := append(index[:len(index):len(index)], f.Index)
		table, optional := f.Type, false
		if table.Kind() == reflect.Pointer {
			table, optional = table.Elem(), true
		}
		if table.Kind() == reflect.Struct {
			mine := role
			if optional {
				mine = name
			}
			below = append(below, tables(table, Table{Name: name, Doc: f.Tag.Get("doc"), Role: optional}, path, mine)...)
			continue
		}
		here.Keys = append(here.Keys, Key{
			Name: name, Doc: f.Tag.Get("doc"), Example: f.Tag.Get("example"),
			role: role, secret: f.Tag.Get("secret") != "", typ: f.Type, index: path,
		})
	}
	return append([]Table{here}, below...)
}

// Keys lists every key.
func Keys() (all []Key) {
	for _, t := range Tables() {
		all = append(all, t.Keys...)
	}
	return all
}

// Table is the table that the key stands in.
func (k Key) Table() string {
	if i := strings.LastIndexByte(k.Name, '.'); i >= 0 {
		return k.Name[:i]
	}
	return ""
}

// Env is the environment variable that overrides the key.
func (k Key) Env() string {
	return "TOPS_" + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// Kind says what a value looks like.
func (k Key) Kind() string {
	switch {
	case k.typ == reflect.TypeFor[Duration]():
		return "a duration such as 60s"
	case k.typ.Kind() == reflect.Slice:
		return "a list, separated by commas"
	case k.typ.Kind() == reflect.Bool:
		return "true or false"
	case k.typ.Kind() == reflect.String:
		return "text"
	case k.typ.Kind() == reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// Default is its default.
func (k Key) Default() any {
	value, _ := k.Value(defaults())
	return value
}

// Parse reads a value as a flag or the environment has it. What it returns has
// the key's type.
func (k Key) Parse(text string) (any, error) {
	v := reflect.New(k.typ).Elem()
	if err := k.parse(v, strings.TrimSpace(text)); err != nil {
		if k.secret {
			text = "…"
		}
		return nil, fmt.Errorf("%s: %q is not %s", k.Name, text, k.Kind())
	}
	return v.Interface(), nil
}

func (k Key) parse(v reflect.Value, text string) (err error) {
	if d, ok := v.Addr().Interface().(*Duration); ok {
		return d.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Slice:
		words := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
		v.Set(reflect.ValueOf(words).Convert(v.Type()))
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v.SetFloat(f)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		var n uint64
		n, err = strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(n)
	case reflect.Int, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
	default:
		err = fmt.Errorf("a key of type %s", v.Type())
	}
	return err
}

// set overrides the key in a configuration.
func (k Key) set(c *Config, text string) error {
	field, ok := k.field(c)
	if !ok {
		return fmt.Errorf("%s is set, but there is no table [%s]: that table decides what tops is", k.Name, k.role)
	}
	v, err := k.Parse(text)
	if err != nil {
		return err
	}
	field.Set(reflect.ValueOf(v))
	return nil
}

// field is the key's place in a configuration that has its role.
func (k Key) field(c *Config) (v reflect.Value, ok bool) {
	v = reflect.ValueOf(c).Elem()
	for _, index := range k.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return v, false
			}
			v = v.Elem()
		}
		v = v.FieldByIndex(index)
	}
	return v, true
}

// Value is what a configuration says, false if the key's role is not there. A
// password is masked.
func (k Key) Value(c *Config) (value any, ok bool) {
	v, ok := k.field(c)
	if !ok {
		return nil, false
	}
	if v.Kind() == reflect.Slice && v.IsNil() {
		return reflect.MakeSlice(v.Type(), 0, 0).Interface(), true
	}
	if k.secret {
		return MaskURL(v.String()), true
	}
	return v.Interface(), true
}

// TOML writes a value as tops.toml has it.
func TOML(value any) string {
	text, err := toml.Marshal(map[string]any{"v": value})
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(strings.TrimSpace(string(text)), "v = ")
}

// MaskURL hides the passwords in a URL, wherever they stand in it. What is no
// URL and could hold one is hidden whole.
func MaskURL(text string) string {
	const masked = "xxxxx"
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || u.Scheme == "" && strings.ContainsAny(text, "=@") {
		return masked
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return masked
	}
	for name := range q {
		if strings.Contains(strings.ToLower(name), "password") {
			q.Set(name, masked)
		}
	}
	u.RawQuery = q.Encode()
	return u.Redacted()
}
