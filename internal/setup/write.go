package setup

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Write writes tops.toml, mode 0600. One that was there is kept beside it, with
// .old behind its name: whoever calls has asked.
func (p *RelayPlan) Write() error {
	if err := writeFile(p.File, []byte(p.Text)); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	p.Written = true
	return nil
}

func writeFile(path string, text []byte) (err error) {
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
	if err := likeDirectory(f, dir); err != nil {
		return err
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

// likeDirectory gives a file that root has made to the owner of its directory: the
// user of the service, where that has a directory of its own.
func likeDirectory(f *os.File, dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || st.Uid == 0 {
		return nil
	}
	return f.Chown(int(st.Uid), int(st.Gid))
}
