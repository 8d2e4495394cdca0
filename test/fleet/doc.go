// Package fleet holds the test of several relays at one Lightning node: each has
// books of its own and credits its own pay streams, whatever the others receive,
// also when one of them is started again in the middle. `make test` runs it with
// SQLite, `make test-world` with schemas of one PostgreSQL.
package fleet
