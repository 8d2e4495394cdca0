package cln

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Watch asks a node how it is, at once and then every so often, until ctx ends. It calls tell with what is wrong, in
// words, each time that this changes, and first of all when it is known: an empty list means that all is well. fresh is
// what was not wrong the last time. A node that does not answer is one problem among others, told within a few seconds.
func Watch(ctx context.Context, c *Client, need Need, every time.Duration, tell func(h Health, wrong, fresh []string)) {
	var last []string
	for first := true; ctx.Err() == nil; first = false {
		h, problems := look(ctx, c, need)
		if ctx.Err() != nil {
			return
		}
		if first || !slices.EqualFunc(problems, last, sameTrouble) {
			tell(h, problems, slices.DeleteFunc(slices.Clone(problems), func(p string) bool {
				return slices.ContainsFunc(last, func(q string) bool { return sameTrouble(p, q) })
			}))
		}
		last = problems
		select {
		case <-time.After(every):
		case <-ctx.Done():
		}
	}
}

// sameTrouble reports whether two problems are one, whatever the amounts in them: liquidity changes with every payment.
func sameTrouble(a, b string) bool {
	noDigits := func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}
	return strings.Map(noDigits, a) == strings.Map(noDigits, b)
}

func look(ctx context.Context, c *Client, need Need) (Health, []string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	h, err := c.Health(ctx)
	if err != nil {
		return h, []string{"the lightning node does not answer"}
	}
	return h, h.Problems(need)
}
