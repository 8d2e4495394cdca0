package cln

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// payCommand is how this node pays: by xpay if it has it, else by pay, and with which of the parameters that came later.
type payCommand struct {
	name     string // "xpay" or "pay"
	invoice  string // what it calls the invoice
	maxDelay bool   // it takes maxdelay
}

// payCommands asks the node once, and again after it said that it does not know the command.
type payCommands struct {
	mu    sync.Mutex // protects known
	known *payCommand
}

func (p *payCommands) get(ctx context.Context, c *Client) (payCommand, error) {
	p.mu.Lock()
	known := p.known
	p.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	for _, try := range []payCommand{{name: "xpay", invoice: "invstring"}, {name: "pay", invoice: "bolt11"}} {
		usage, err := c.usage(ctx, try.name)
		if HasCode(err, CodeUnknownMethod) || err == nil && usage == nil {
			continue
		}
		if err != nil {
			return payCommand{}, err
		}
		try.maxDelay = slices.Contains(usage, "[maxdelay]")
		p.mu.Lock()
		p.known = &try
		p.mu.Unlock()
		return try, nil
	}
	return payCommand{}, &Error{Method: "help", Code: CodeUnknownMethod, Message: "the node has neither xpay nor pay"}
}

func (p *payCommands) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = nil
}

// usage returns the words of a command's help line, nil if there is none.
func (c *Client) usage(ctx context.Context, command string) ([]string, error) {
	var v struct{ Help []struct{ Command string } }
	if err := c.Call(ctx, "help", map[string]any{"command": command}, &v); err != nil {
		return nil, err
	}
	for _, h := range v.Help {
		if words := strings.Fields(h.Command); len(words) > 0 && words[0] == command {
			return words, nil
		}
	}
	return nil, nil
}

// paid is what both commands return on success.
type paid struct {
	AmountMsat Msat `json:"amount_msat"`
	SentMsat   Msat `json:"amount_sent_msat"`
}

func (p payCommand) pay(ctx context.Context, c *Client, invoice string, maxFee Msat, retryFor time.Duration, maxDelay int) (paid, error) {
	params := map[string]any{p.invoice: invoice, "maxfee": maxFee, "retry_for": seconds(retryFor)}
	if p.maxDelay {
		params["maxdelay"] = maxDelay
	}
	var v paid
	return v, c.Call(ctx, p.name, params, &v)
}
