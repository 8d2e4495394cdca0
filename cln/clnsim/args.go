package clnsim

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// args are the parameters of one call, by name. The first that is wrong is kept in err, and the rest read as zero.
type args struct {
	values map[string]json.RawMessage
	err    error
}

// newArgs sorts params, an object or an array, by a usage line such as "offer amount [description]": brackets mean that
// a parameter may be left out.
func newArgs(usage string, params json.RawMessage) (*args, error) {
	usage, open := strings.CutSuffix(usage, " ...") // other names are not refused
	names := strings.Fields(usage)[1:]
	a := &args{values: map[string]json.RawMessage{}}
	var list []json.RawMessage
	if json.Unmarshal(params, &list) == nil {
		if len(list) > len(names) {
			return nil, errorf(codeParams, "too many parameters: got %d, expected %d", len(list), len(names))
		}
		for i, v := range list {
			a.values[strings.Trim(names[i], "[]")] = v
		}
	} else if json.Unmarshal(params, &a.values) != nil {
		return nil, errorf(codeInvalidRequest, "Expected array or object for params")
	}
	known := map[string]bool{}
	for _, name := range names {
		bare := strings.Trim(name, "[]")
		known[bare] = true
		if _, ok := a.values[bare]; !ok && bare == name {
			return nil, errorf(codeParams, "missing required parameter: %s", bare)
		}
	}
	for name, v := range a.values {
		if !known[name] && !open {
			return nil, errorf(codeParams, "unknown parameter: %s, this may be caused by a failure to autodetect key=value-style parameters. Please try using the -k flag and explicit key=value pairs of parameters.", name)
		}
		if string(v) == "null" {
			delete(a.values, name)
		}
	}
	return a, nil
}

func (a *args) has(name string) bool { _, ok := a.values[name]; return ok }

func (a *args) fail(name, want string) {
	if a.err == nil {
		a.err = errorf(codeParams, "%s: %s: invalid token '%s'", name, want, a.values[name])
	}
}

// raw returns a string as it stands between its quotes, escapes and all, which is what lightningd makes of most; a
// number or a word stands for itself.
func (a *args) raw(name string) string {
	v := string(a.values[name])
	if len(v) >= 2 && v[0] == '"' {
		return v[1 : len(v)-1]
	}
	return v
}

// text returns a string with its escapes undone; like lightningd it takes no \u.
func (a *args) text(name string) string {
	if strings.Contains(string(a.values[name]), `\u`) {
		a.fail(name, `should be a string (without \u)`)
		return ""
	}
	var s string
	if v, ok := a.values[name]; ok && json.Unmarshal(v, &s) != nil {
		return a.raw(name)
	}
	return s
}

func (a *args) uint(name string) (uint64, bool) {
	if !a.has(name) {
		return 0, false
	}
	n, err := strconv.ParseUint(a.raw(name), 10, 64)
	if err != nil {
		a.fail(name, "should be an unsigned 64 bit integer")
	}
	return n, err == nil
}

func (a *args) flag(name string) bool {
	switch a.raw(name) {
	case "true":
		return true
	case "false", "":
		return false
	}
	a.fail(name, "should be 'true' or 'false'")
	return false
}

// msat reads an amount: a number of millisatoshis, or one with msat, sat or btc after it.
func (a *args) msat(name string) (uint64, bool) {
	if !a.has(name) {
		return 0, false
	}
	n, ok := parseMsat(a.raw(name))
	if !ok {
		a.fail(name, "should be a millisatoshi amount")
	}
	return n, ok
}

func parseMsat(s string) (uint64, bool) {
	for _, u := range []struct {
		suffix string
		digits int // after the point
	}{{"msat", 0}, {"sat", 3}, {"btc", 11}, {"", 0}} {
		n, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		whole, part, dotted := strings.Cut(n, ".")
		if dotted && part == "" || len(part) > u.digits {
			return 0, false
		}
		v, err := strconv.ParseUint(whole+part+strings.Repeat("0", u.digits-len(part)), 10, 64)
		return v, err == nil && v <= math.MaxInt64
	}
	return 0, false
}

func (a *args) hex(name string) []byte {
	if !a.has(name) {
		return nil
	}
	b, err := hex.DecodeString(a.raw(name))
	if err != nil {
		a.fail(name, "should be a hex value")
	}
	return b
}

// hash reads 32 bytes in hex and returns them as text, in lower case.
func (a *args) hash(name string) string {
	b := a.hex(name)
	if a.has(name) && len(b) != 32 {
		a.fail(name, "should be a 32 byte hex value")
	}
	return hex.EncodeToString(b)
}

// keys is an array of public keys.
func (a *args) keys(name string) (keys [][]byte) {
	var list []string
	if !a.has(name) {
		return nil
	}
	if json.Unmarshal(a.values[name], &list) != nil {
		a.fail(name, "should be an array")
		return nil
	}
	for _, text := range list {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != 33 {
			a.fail(name, "should be a pubkey")
		}
		keys = append(keys, b)
	}
	return keys
}
