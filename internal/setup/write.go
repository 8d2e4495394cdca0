package setup

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// Write writes tops.toml, mode 0600, or 0640 for a group that may read it. One that
// was there is kept beside it, with .old behind its name: whoever calls has asked.
func (p *RelayPlan) Write() error {
	gid := -1
	if p.Group != "" {
		g, err := user.LookupGroup(p.Group)
		if err != nil {
			return err
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return err
		}
	}
	if err := writeFile(p.File, []byte(p.Text), gid); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	p.Written = true
	return nil
}

func writeFile(path string, text []byte, gid int) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if gid >= 0 {
		if err := errors.Join(f.Chown(-1, gid), f.Chmod(0o640)); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
	}
	return os.Rename(f.Name(), path)
}
