package main

import (
	"errors"
	"fmt"

	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/fault"
	"github.com/el-tor/tops/ledger"
)

type ledgerVerifyCmd struct {
	configFlag
}

func (c *ledgerVerifyCmd) Run(e *env) error {
	l, err := c.books(e)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.Verify(e.ctx); err != nil {
		return fault.Mark(fault.Books, err)
	}
	t, err := l.Totals(e.ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "the books agree with themselves: %d msat spent, %d held, %d received\n",
		t.SpentMsat, t.HeldMsat, t.EarnedMsat+t.LateMsat+t.UnclaimedMsat)
	return err
}

type ledgerBackupCmd struct {
	configFlag
	File string `arg:"" type:"path" help:"The file to make; it must not be there."`
}

func (c *ledgerBackupCmd) Run(e *env) error {
	l, err := c.books(e)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.Backup(e.ctx, c.File); err != nil {
		return fault.Mark(fault.Books, err)
	}
	_, err = fmt.Fprintf(e.stdout, "%s: written and verified\n", c.File)
	return err
}

type ledgerRestoreCmd struct {
	configFlag
	File string `arg:"" type:"existingfile" help:"What tops ledger backup wrote."`
}

func (c *ledgerRestoreCmd) Run(e *env) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if err := ledger.Restore(e.ctx, c.File, cfg.Ledger()); err != nil {
		if errors.Is(err, ledger.ErrInUse) {
			err = fmt.Errorf("tops runs with this configuration: stop it first: %w", err)
		}
		return fault.Mark(fault.Books, err)
	}
	_, err = fmt.Fprintf(e.stdout, "%s: restored. Payments since the backup are asked of the Lightning node and the relays, not of the books\n",
		config.MaskURL(cfg.Ledger()))
	return err
}
