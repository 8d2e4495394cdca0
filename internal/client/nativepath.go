package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/el-tor/tops/paystream"
	"github.com/el-tor/tops/policies"
)

// choosePath picks three relays by chance: one with the Guard flag, or the user's;
// one between; one with the Exit flag, or the user's. All that ask for money have
// to fit the policy together.
func (n *native) choosePath(ctx context.Context) ([]string, error) {
	nodes, err := n.c.consensus(ctx)
	if err != nil {
		return nil, err
	}
	asks, last := n.usable(ctx, nodes)
	pick := func(chosen []string, flag string) (list []string) {
		for _, r := range nodes {
			_, usable := asks[r.Fingerprint]
			named := slices.Contains(chosen, r.Fingerprint)
			if usable && (named || len(chosen) == 0 && (flag == "" || r.Is(flag))) {
				list = append(list, r.Fingerprint)
			}
		}
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	guards, middles, exits := pick(n.c.cfg.Client.Guards, "Guard"), pick(nil, ""), pick(n.c.cfg.Client.Relays, "Exit")
	if len(exits) == 1 {
		guards = slices.DeleteFunc(guards, func(fp string) bool { return fp == exits[0] })
	}
	if len(n.c.cfg.Client.Guards) == 0 {
		guards = n.sameGuard(ctx, guards)
	}
	likedMiddles, likedExits := n.liked(middles), n.liked(exits)
	for tries := 0; tries < pathTries && len(guards)*len(middles)*len(exits) > 0; tries++ {
		if tries == pathTries/2 { // there is nothing else
			likedMiddles, likedExits = middles, exits
		}
		hops := []string{guards[rand.IntN(len(guards))], likedMiddles[rand.IntN(len(likedMiddles))], likedExits[rand.IntN(len(likedExits))]}
		if hops[0] == hops[1] || hops[1] == hops[2] || hops[0] == hops[2] {
			continue
		}
		var all []policies.Terms
		for _, fp := range hops {
			if t := asks[fp]; t.Relay != "" {
				all = append(all, t)
			}
		}
		if err := n.c.policy.Check(all...); err != nil {
			last = &paystream.Refusal{Reason: paystream.ReasonPolicy, Err: err}
			continue
		}
		return hops, nil
	}
	if last == nil {
		last = errors.New("tor knows no three relays for it")
	}
	return nil, fmt.Errorf("no circuit can be paid: %w", last)
}

// pathTries is how many paths are drawn until one fits the policy.
const pathTries = 200

// sameGuard keeps to few guards, so that few of them ever see this client: those that
// tor has chosen for itself, in its order, else the one that was drawn before.
func (n *native) sameGuard(ctx context.Context, guards []string) []string {
	tors, _ := n.c.tor.EntryGuards(ctx) // it may have none yet
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, fp := range append(tors, n.guard) {
		if slices.Contains(guards, fp) {
			return []string{fp}
		}
	}
	if len(guards) == 0 {
		return nil
	}
	n.guard = guards[0]
	return guards[:1]
}
