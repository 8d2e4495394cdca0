package access

import "github.com/el-tor/tops/controlspec"

// browserRule makes a rule of tor-browser-mode of another: circuit-status shows
// the circuits that carry the browser's streams, and no others.
type browserRule struct{ rule }

func browserRules(list []rule) []rule {
	out := make([]rule, len(list))
	for i, r := range list {
		out[i] = browserRule{r}
	}
	return out
}

func (r browserRule) judge(g *Guard, cmd command) (verdict, bool, string) {
	v, ok, why := r.rule.judge(g, cmd)
	if ok {
		for _, w := range cmd.words() {
			if g.statusFilter(w) != nil {
				v.fixed, v.reply = false, then(g.ownStatus(), orPass(v.reply))
				break
			}
		}
	}
	return v, ok, why
}

func orPass(f func(controlspec.Line) []byte) func(controlspec.Line) []byte {
	if f == nil {
		return func(l controlspec.Line) []byte { return l.Raw }
	}
	return f
}
