package app

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/el-tor/tops/cln"
)

// lookAtNode is how often the node's health is looked at.
const lookAtNode = 5 * time.Second

// nodeHealth is what is wrong with the Lightning node.
type nodeHealth struct {
	mu     sync.Mutex // guards those below
	wrong  []string
	paying error // why nothing can be paid; nil if it can

	restored string // when it was seen to have been restored from an older state, and what follows; empty: never
}

func (n *nodeHealth) set(wrong []string, paying error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wrong, n.paying = wrong, paying
}

func (n *nodeHealth) problems() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.wrong
}

// nodeRestored says so once, and keeps it for the status: what the node was paid and
// does not remember is the operator's to look into.
func (a *App) nodeRestored(r cln.Restored) {
	a.log.Warn().Msg(r.String())
	a.health.mu.Lock()
	defer a.health.mu.Unlock()
	a.health.restored = r.At.UTC().Format(time.RFC3339) + ": " + r.String()
}

func (n *nodeHealth) restoration() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.restored
}

// able says why no new circuit can be paid.
func (n *nodeHealth) able() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.paying
}

// watchNode looks at the node as long as tops runs, and says once what is wrong
// with it and once that it is well again. A payer makes no new paid circuit
// meanwhile; a payee cuts nobody, which is the engine's to see to.
func (a *App) watchNode(ctx context.Context) {
	var spend, both cln.Need
	if a.client != nil {
		spend = cln.Need{SpendMsat: a.cfg.Client.MaxRoundMsat, Hidden: !a.cfg.Lightning.AllowReveal}
		both = spend
	}
	if a.relay != nil {
		both.ReceiveMsat = a.cfg.Relay.RateMsat
	}
	was := false
	cln.Watch(ctx, a.node, both, cmp.Or(a.lookEvery, lookAtNode), func(h cln.Health, wrong, fresh []string) {
		for _, problem := range fresh {
			a.log.Warn().Msg("lightning: " + problem)
		}
		if was && len(wrong) == 0 {
			a.log.Info().Msg("lightning: all is well again")
		}
		was = len(wrong) > 0
		keeps := wrong
		if h.Info.ID != "" {
			keeps = h.Problems(spend)
		}
		var paying error
		if len(keeps) > 0 {
			paying = fmt.Errorf("the lightning node cannot pay now: %s", strings.Join(keeps, "; "))
		}
		a.health.set(wrong, paying)
	})
}
