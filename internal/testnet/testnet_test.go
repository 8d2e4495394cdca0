package testnet_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/el-tor/tops/internal/testnet"
)

func TestMain(m *testing.M) {
	if err := testnet.Enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestStart(t *testing.T) {
	begin := time.Now()
	n, err := testnet.Start(t.Context(), testnet.Options{Clients: 1, Progress: func(s string) { t.Log(time.Since(begin), s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	t.Log("ready", time.Since(begin))
	_ = context.Background
}
