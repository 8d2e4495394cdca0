package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/sys/unix"
)

// A peer that is silent for so long is gone. Both sides are told, since the
// server holds the lock until it has noticed, too.
const silence = 20 * time.Second

// postgres is a ledger in a schema of a PostgreSQL database.
type postgres struct {
	cfg    *pgx.ConnConfig
	schema string
}

// parsePostgres reads a URL. No error quotes it: it may hold a password.
func parsePostgres(place string) (*postgres, error) {
	u, err := url.Parse(place)
	if err != nil {
		return nil, errors.New("this is no URL of a PostgreSQL database: want postgres://user@host/database?search_path=name")
	}
	q := u.Query()
	if q.Get("sslmode") == "" && os.Getenv("PGSSLMODE") == "" && !local(cmp.Or(q.Get("host"), u.Hostname())) {
		q.Set("sslmode", "verify-full") // or the password and the books could be anybody's
		u.RawQuery = q.Encode()
	}
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("the URL of the PostgreSQL database is wrong: %w", redacted(err, u))
	}
	p := &postgres{cfg, cmp.Or(cfg.RuntimeParams["search_path"], "tops")}
	if strings.Trim(p.schema, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || len(p.schema) > 63 {
		return nil, fmt.Errorf("search_path %q: want the name of one schema, of a-z, 0-9 and _", p.schema)
	}
	param := func(name, value string) {
		if cfg.RuntimeParams[name] == "" {
			cfg.RuntimeParams[name] = value
		}
	}
	cfg.RuntimeParams["search_path"] = `"` + p.schema + `"`
	cfg.RuntimeParams["default_transaction_isolation"] = "repeatable read" // one moment for all queries of a transaction
	param("application_name", "tops")
	param("tcp_keepalives_idle", "10")
	param("tcp_keepalives_interval", "5")
	param("tcp_keepalives_count", "2")
	param("tcp_user_timeout", fmt.Sprint(silence.Milliseconds()))
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	cfg.DialFunc = dialPostgres
	cfg.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec // no plan outlives a change of the schema
	return p, nil
}

// local reports whether a server is reached without a network.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "" || strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

// redacted is an error without the password of a URL, should it be in it.
func redacted(err error, u *url.URL) error {
	text := err.Error()
	secrets := []string{u.Query().Get("password"), u.Query().Get("sslpassword")}
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password, u.User.String())
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "xxxxx")
		}
	}
	return errors.New(text)
}

func dialPostgres(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 2},
		Control: func(network, _ string, c syscall.RawConn) error {
			if !strings.HasPrefix(network, "tcp") {
				return nil
			}
			var err error
			return errors.Join(c.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
			}), err)
		},
	}
	return d.DialContext(ctx, network, addr)
}

func (p *postgres) String() string {
	return fmt.Sprintf("postgres://%s@%s:%d/%s?search_path=%s", p.cfg.User, p.cfg.Host, p.cfg.Port, p.cfg.Database, p.schema)
}

func (p *postgres) open(ctx context.Context, readOnly bool) (*sql.DB, error) {
	cfg := p.cfg.Copy()
	if readOnly {
		cfg.RuntimeParams["default_transaction_read_only"] = "on"
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(4) // the writer's, and a few readers
	if !readOnly {
		return db, nil
	}
	var there bool
	err := db.QueryRowContext(ctx, `SELECT to_regclass('schema_versions') IS NOT NULL`).Scan(&there)
	if err == nil && !there {
		err = fmt.Errorf("no books yet in the schema %q: %w", p.schema, fs.ErrNotExist)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// writer takes a lock that lives as long as the connection. So whoever lost the
// connection lost the lock, and whoever has the lock again knows that nothing of
// the former connection is still under way.
func (p *postgres) writer(ctx context.Context, db *sql.DB) (_ *sql.Conn, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	if err := p.lock(ctx, conn); err != nil {
		return nil, err
	}
	var fsync, synchronous string
	if err := conn.QueryRowContext(ctx, `SELECT current_setting('fsync'), current_setting('synchronous_commit')`).
		Scan(&fsync, &synchronous); err != nil {
		return nil, err
	}
	if fsync != "on" {
		return nil, errors.New("the server runs with fsync = off and would forget payments when its machine fails")
	}
	if synchronous == "off" {
		if _, err := conn.ExecContext(ctx, "SET synchronous_commit = on"); err != nil {
			return nil, err
		}
	}
	var there bool
	if err := conn.QueryRowContext(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, p.schema).Scan(&there); err != nil || there {
		return conn, err
	}
	_, err = conn.ExecContext(ctx, `CREATE SCHEMA "`+p.schema+`"`)
	return conn, err
}

// lock waits a moment: the server may not have noticed yet that a tops which was
// killed is gone.
func (p *postgres) lock(ctx context.Context, conn *sql.Conn) error {
	for end := time.Now().Add(3 * time.Second); ; {
		var locked bool
		err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock(hashtextextended('tops ledger ' || $1, 0))`, p.schema).Scan(&locked)
		if err != nil || locked {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w: stop it, or give this one tables of its own with search_path=NAME in the URL", ErrInUse)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (*postgres) begin() string { return "BEGIN" }

func (*postgres) remote() bool { return true }

func (*postgres) lost(conn *sql.Conn) bool {
	closed := false
	err := conn.Raw(func(c any) error {
		closed = c.(*stdlib.Conn).Conn().IsClosed()
		return nil
	})
	return err != nil || closed
}

// check leaves pages and indexes to PostgreSQL's own pg_amcheck.
func (*postgres) check(context.Context, *sql.DB) error { return nil }

// forgotten gives back the space of rows that were deleted, which others write
// over. Archives of the server's log keep them for as long as they are kept.
func (*postgres) forgotten(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "VACUUM payee_streams, payer_streams, bookings, payments, offered_terms")
	return err
}

func (*postgres) tables() string {
	return `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY 1`
}

func (*postgres) backupDir() string { return "" }

func (*postgres) close() error { return nil }
