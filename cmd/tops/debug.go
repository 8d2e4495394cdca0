package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/el-tor/tops/internal/app"
	"github.com/el-tor/tops/internal/config"
	"github.com/el-tor/tops/internal/doctor"
	"github.com/el-tor/tops/ledger"
)

type debugCmd struct {
	Bundle debugBundleCmd `cmd:"" help:"Write an archive to show to others: versions, configuration, health, totals, the end of the log. Without secrets."`
}

type debugBundleCmd struct {
	configFlag
	File string `arg:"" optional:"" type:"path" help:"The archive to make; tops-debug-<time>.tar.gz if not given."`
}

func (c *debugBundleCmd) Run(e *env) (err error) {
	l, err := c.loaded()
	if err != nil {
		return err
	}
	if c.File == "" {
		c.File = "tops-debug-" + time.Now().UTC().Format("20060102T150405Z") + ".tar.gz"
	}
	out, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := writeBundle(out, l.Config, gather(e.ctx, l)); err != nil {
		out.Close()
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: look through it before you show it to anybody. It names your relays, pay streams and amounts\n", c.File)
	return err
}

// part is a file of the bundle.
type part struct {
	name, text string
}

// gather asks everybody. Who does not answer is a finding, too.
func gather(ctx context.Context, l *config.Loaded) []part {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	parts := []part{{"version.txt", buildInfo()}}
	add := func(name string, v any, err error) {
		text := ""
		switch v := v.(type) {
		case []byte:
			text = string(v)
		default:
			raw, jsonErr := json.MarshalIndent(v, "", "  ")
			if text = string(raw) + "\n"; jsonErr != nil {
				err = jsonErr
			}
		}
		if err != nil {
			text = "error: " + err.Error() + "\n"
		}
		parts = append(parts, part{name, text})
	}
	add("config.json", effectiveConfig(l), nil)
	patient := doctor.Open(ctx, l.Config)
	defer patient.Close()
	add("doctor.json", doctor.Examine(ctx, patient), nil)
	add("node.json", patient.Health, patient.NodeErr)
	add("status.json", patient.Status, patient.StatusErr)
	options, err := torOptions(ctx, patient)
	add("tor.txt", options, err)
	goroutines, log, err := app.AskDebug(ctx, l.Config)
	add("goroutines.txt", goroutines, err)
	add("log.txt", log, err)
	totals, err := ledgerTotals(ctx, l.Config)
	add("ledger.json", totals, err)
	return parts
}

func buildInfo() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version() + "\n"
	}
	return version() + "\n" + info.String()
}

// torOptions asks for those that matter to tops, none of which is a secret.
func torOptions(ctx context.Context, patient *doctor.Case) ([]byte, error) {
	if patient.TorErr != nil {
		return nil, patient.TorErr
	}
	var b strings.Builder
	for _, q := range [...]string{
		"GETINFO version status/bootstrap-phase status/circuit-established",
		"GETCONF ControlPort ControlSocket CookieAuthentication SocksPort ORPort Address OutboundBindAddress OutboundBindAddressExit ContactInfo " +
			"ExitRelay ExitPolicy ReducedExitPolicy ExitPolicyRejectPrivate ExitPolicyRejectLocalInterfaces MaxCircuitDirtiness " +
			"__LeaveStreamsUnattached FetchUselessDescriptors Sandbox",
	} {
		reply, err := patient.Tor.Do(ctx, q)
		if err != nil {
			return nil, err
		}
		b.Write(reply.Append(nil))
	}
	return []byte(b.String()), nil
}

func ledgerTotals(ctx context.Context, cfg *config.Config) (any, error) {
	l, err := ledger.OpenReader(ctx, cfg.Ledger())
	if err != nil {
		return nil, err
	}
	defer l.Close()
	totals, err := l.Totals(ctx)
	verified := "ok"
	if err := l.Verify(ctx); err != nil {
		verified = err.Error()
	}
	return map[string]any{"totals": totals, "verify": verified}, err
}

// writeBundle writes the archive, after it was read once more for secrets.
func writeBundle(out *os.File, cfg *config.Config, parts []part) error {
	redact := redactor(cfg)
	z := gzip.NewWriter(out)
	w := tar.NewWriter(z)
	for _, p := range parts {
		text := redact(p.text)
		if err := w.WriteHeader(&tar.Header{Name: "tops-debug/" + p.name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now()}); err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return z.Close()
}

// hidden is what could be a hash, a preimage, a cookie, an invoice or an offer's
// request, wherever it turns up.
var hidden = regexp.MustCompile(`(?i)\b[0-9a-f]{64,}\b|\bln(?:bc|tb|bcrt|i1|r1)[0-9a-z]{20,}|://[^/@\s"]*:[^/@\s"]*@`)

// redactor takes the secrets that the configuration knows out of a text, and
// whatever looks like one.
func redactor(cfg *config.Config) func(string) string {
	var known []string
	if o, err := app.TorOptions(cfg); err == nil && o.Password != "" {
		known = append(known, o.Password, "xxxxx")
	}
	if cfg.Books != "" {
		known = append(known, cfg.Books, config.MaskURL(cfg.Books))
	}
	replacer := strings.NewReplacer(known...)
	return func(text string) string {
		return hidden.ReplaceAllStringFunc(replacer.Replace(text), func(found string) string {
			if strings.HasPrefix(found, "://") {
				return "://xxxxx@"
			}
			return "xxxxx"
		})
	}
}
