// Package clndata holds tests to Core Lightning's own words: the JSON schemas of its commands, and calls that were
// recorded on real nodes. Both lie in a folder that the environment variable TOPS_CLN_DATA names,
//
//	schemas/<command>.json       as in Core Lightning's doc/schemas
//	transcripts/<name>.json      {"request": …, "response": …}
//
// and neither is part of this repository. Without it [Open] returns nil, whose methods approve of everything.
package clndata

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Data is the folder. A nil Data is none.
type Data struct {
	dir string

	mu       sync.Mutex // protects compiled
	compiled map[string]*jsonschema.Schema
}

// Open returns the folder that TOPS_CLN_DATA names. left says in one line what is left out if it names none.
func Open() (d *Data, left string) {
	dir := os.Getenv("TOPS_CLN_DATA")
	if dir == "" {
		return nil, "TOPS_CLN_DATA names no folder: Core Lightning's schemas and recorded calls were left out"
	}
	return &Data{dir: dir, compiled: map[string]*jsonschema.Schema{}}, ""
}

// A Transcript is one recorded call.
type Transcript struct {
	Request struct {
		Method string
		Params json.RawMessage
	}
	Response struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
			Data    json.RawMessage
		}
	}
}

// Transcript reads one, by its name without .json.
func (d *Data) Transcript(name string) (Transcript, error) {
	var t Transcript
	b, err := os.ReadFile(filepath.Join(d.dir, "transcripts", name+".json"))
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(b, &t)
}

// Transcripts lists the names of those that hold a single call.
func (d *Data) Transcripts() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(d.dir, "transcripts", "*.json"))
	var names []string
	for _, p := range paths {
		name := strings.TrimSuffix(filepath.Base(p), ".json")
		if t, err := d.Transcript(name); err == nil && t.Request.Method != "" {
			names = append(names, name)
		}
	}
	return names, err
}

// CheckRequest holds the params of a call to the command's schema. A command without a schema may take anything.
func (d *Data) CheckRequest(method string, params []byte) error {
	return d.check(method, "request", params)
}

// CheckResponse does the same with the result.
func (d *Data) CheckResponse(method string, result []byte) error {
	return d.check(method, "response", without(result, unlisted[method]))
}

// unlisted are members that Core Lightning itself answers with, as the recorded calls show, but does not list.
var unlisted = map[string][]string{
	"waitanyinvoice": {"local_offer_id", "invreq_payer_note"},
	"waitinvoice":    {"local_offer_id", "invreq_payer_note"},
}

func without(doc []byte, members []string) []byte {
	var m map[string]json.RawMessage
	if len(members) == 0 || json.Unmarshal(doc, &m) != nil {
		return doc
	}
	for _, name := range members {
		delete(m, name)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return doc
	}
	return b
}

func (d *Data) check(method, part string, doc []byte) error {
	if d == nil {
		return nil
	}
	s, err := d.schema(method, part)
	if err != nil || s == nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(doc)))
	if err != nil {
		return err
	}
	if err := s.Validate(v); err != nil {
		return fmt.Errorf("%s of %s: %w", part, method, err)
	}
	return nil
}

func (d *Data) schema(method, part string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name := method + "/" + part
	if s, ok := d.compiled[name]; ok {
		return s, nil
	}
	b, err := os.ReadFile(filepath.Join(d.dir, "schemas", method+".json"))
	if os.IsNotExist(err) {
		d.compiled[name] = nil
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var parts map[string]any
	if err := json.Unmarshal(b, &parts); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:"+name, standard(parts[part], part == "request")); err != nil {
		return nil, err
	}
	s, err := c.Compile("mem:" + name)
	d.compiled[name] = s
	return s, err
}
