//go:build !world

package ledger_test

import "github.com/el-tor/tops/internal/testpg"

// startServer starts none: the tests run on SQLite.
func startServer() (*testpg.Server, error) { return nil, nil }
