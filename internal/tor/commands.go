package tor

import (
	"context"
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

// A doer sends a command and returns the positive reply: a Conn or a Client.
type doer interface {
	Do(ctx context.Context, line string) (controlspec.Reply, error)
	DoAll(ctx context.Context, lines ...string) ([]controlspec.Reply, error)
}

// getInfo asks for one value (control-spec §3.9).
func getInfo(ctx context.Context, d doer, key string) (string, error) {
	reply, err := d.Do(ctx, "GETINFO "+key)
	if err != nil {
		return "", fmt.Errorf("%w (asked for %s)", err, key)
	}
	value, ok := reply.Values()[key]
	if !ok {
		return "", fmt.Errorf("GETINFO %s: the reply does not hold it", key)
	}
	return value, nil
}

// getConf asks for options' values (control-spec §3.3). An option that has
// none, not even by default, has no entry. The map's keys are in lower case,
// as tor may answer in another case than it was asked.
func getConf(ctx context.Context, d doer, keys []string) (map[string][]string, error) {
	reply, err := d.Do(ctx, getConfLine(keys))
	if err != nil {
		return nil, err
	}
	return confValues(reply), nil
}

func getConfLine(keys []string) string { return "GETCONF " + strings.Join(keys, " ") }

func confValues(reply controlspec.Reply) map[string][]string {
	values := make(map[string][]string)
	for _, line := range reply.Lines {
		key, value, ok := strings.Cut(line.Text, "=")
		if !ok || value == "" {
			continue
		}
		if strings.HasPrefix(value, `"`) {
			if unquoted, rest, err := controlspec.Unquote(value); err == nil && rest == "" {
				value = unquoted
			}
		}
		key = strings.ToLower(key)
		values[key] = append(values[key], value)
	}
	return values
}

// An option is one argument of SETCONF; no values: NULL.
type option struct {
	key    string
	values []string
}

// setConf sets options, all or none (control-spec §3.1).
func setConf(ctx context.Context, d doer, options []option) error {
	_, err := d.Do(ctx, setConfLine(options))
	return err
}

func setConfLine(options []option) string {
	var line strings.Builder
	line.WriteString("SETCONF")
	for _, o := range options {
		if len(o.values) == 0 {
			line.WriteString(" " + o.key)
		}
		for _, value := range o.values {
			line.WriteString(" " + o.key + "=" + controlspec.Quote(value))
		}
	}
	return line.String()
}
