package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
	"github.com/el-tor/tops/internal/completion"
	"github.com/el-tor/tops/internal/manual"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: ${enum}."`
}

// Help says what to do with the script.
func (*completionCmd) Help() string {
	return "For this shell alone: `source <(tops completion bash)`, in fish `tops completion fish | source`. The Debian package installs all three."
}

func (c *completionCmd) Run(e *env, k *kong.Kong) error {
	return completion.Write(e.stdout, c.Shell, k.Model)
}

// manCmd is for who makes packages.
type manCmd struct {
	Page string `arg:"" optional:"" help:"The page to print, such as tops.toml; tops if not given."`
	Dir  string `type:"path" placeholder:"DIR" help:"Write all pages there instead."`
}

func (c *manCmd) Run(e *env, k *kong.Kong) error {
	date, err := buildDate()
	if err != nil {
		return err
	}
	if c.Page == "" {
		c.Page = k.Model.Name
	}
	for _, p := range manual.Pages(k.Model, manual.Options{Version: version(), Date: date}) {
		if c.Dir != "" {
			if err := os.WriteFile(filepath.Join(c.Dir, p.File()), p.Text, 0o644); err != nil {
				return err
			}
		} else if p.Name == c.Page {
			_, err := e.stdout.Write(p.Text)
			return err
		}
	}
	if c.Dir == "" {
		return wrong("there is no page %q: --dir DIR writes all there are", c.Page)
	}
	return nil
}

// buildDate is the day of the pages: that of the source, if the build says it, so
// that two builds make the same bytes.
func buildDate() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Now(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("SOURCE_DATE_EPOCH is not a number of seconds")
	}
	return time.Unix(n, 0), nil
}
