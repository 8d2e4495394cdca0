// Package testpg runs a PostgreSQL server for tests: Debian's, in a temporary
// directory, on a unix socket alone, as a user without rights when the test is
// root. It ends with the test's process.
//
//	pg, err := testpg.Start()
//	defer pg.Stop()
//	l, err := ledger.Open(ctx, pg.URL("some_schema"))
package testpg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a running PostgreSQL.
type Server struct {
	bin, dir string
	cmd      *exec.Cmd
}

// Start makes a database cluster and starts the server.
func Start() (*Server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, errors.New("there is no PostgreSQL: install Debian's package postgresql")
	}
	slices.Sort(found)
	s := &Server{bin: filepath.Dir(found[len(found)-1])}
	if s.dir, err = os.MkdirTemp("", "tops-pg-"); err != nil {
		return nil, err
	}
	if cred, err := unprivileged(); err != nil {
		return nil, err
	} else if cred != nil {
		if err := os.Chown(s.dir, int(cred.Uid), int(cred.Gid)); err != nil {
			return nil, err
		}
	}
	init, err := s.command("initdb", "--auth=trust", "--username=tops", "--encoding=UTF8", "--no-sync", "-D", filepath.Join(s.dir, "data"))
	if err != nil {
		return nil, err
	}
	if out, err := init.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return s, s.Restart()
}

// unprivileged is the user that the server runs as if we are root: it refuses to
// run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, err
}

func (s *Server) command(name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.Env = s.dir, []string{"LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin"}
	cred, err := unprivileged()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Pdeathsig: syscall.SIGQUIT}
	return cmd, err
}

// Restart ends the server as a crash would, if it runs, and starts it again.
func (s *Server) Restart() error {
	if err := s.Kill(); err != nil {
		return err
	}
	cmd, err := s.command("postgres", "-D", filepath.Join(s.dir, "data"), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd = cmd
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.URL("public"))
		if err == nil {
			_ = conn.Close(ctx)
		}
		cancel()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return err
	}
	_ = s.cmd.Wait() // it says that it was killed
	s.cmd = nil
	return nil
}

// Stop ends the server and removes everything.
func (s *Server) Stop() error { return errors.Join(s.Kill(), os.RemoveAll(s.dir)) }

// URL names a schema of its database.
func (s *Server) URL(schema string) string { return URL(s.dir, schema) }

// URL names a schema of a server whose socket lies in a directory.
func URL(dir, schema string) string {
	return fmt.Sprintf("postgres://tops@/postgres?host=%s&search_path=%s", dir, schema)
}

// Dir is where its socket lies.
func (s *Server) Dir() string { return s.dir }

// Dial connects to the server, for a proxy in front of it.
func (s *Server) Dial() (net.Conn, error) {
	return net.Dial("unix", filepath.Join(s.dir, ".s.PGSQL.5432"))
}
