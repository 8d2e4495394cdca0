//go:build world

package web_test

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/el-tor/tops/internal/chromium"
	"github.com/el-tor/tops/internal/figures"
	"github.com/el-tor/tops/internal/figures/figurestest"
)

// TestScreenshots takes the pictures of docs/screenshots; it writes them there
// when TOPS_SCREENSHOTS=1 (`make screenshots`), for a person to look at.
func TestScreenshots(t *testing.T) {
	b := chromium.Start(t)
	for name, f := range map[string]figures.Figures{"relay": figurestest.Relay(), "client": figurestest.Client()} {
		at, _ := serve(t, newSource(f), "127.0.0.1:0")
		for _, l := range looks {
			t.Run(name+"-"+l.name, func(t *testing.T) {
				p := b.Open(t, "http://"+at+"/", l.Look)
				p.Until("a live page", `document.getElementById("link").textContent === "Live"`, liveWithin)
				for _, fault := range chromium.Eval[[]string](p, whatSticksOut) {
					t.Error(fault)
				}
				shot := p.Screenshot()
				picture, err := png.DecodeConfig(bytes.NewReader(shot))
				if err != nil || picture.Width != int(l.Width) || picture.Height < int(l.Height) {
					t.Errorf("a picture of %d × %d, %v", picture.Width, picture.Height, err)
				}
				if problems := p.Problems(); len(problems) > 0 {
					t.Errorf("the browser complains:\n%s", strings.Join(problems, "\n"))
				}
				if os.Getenv("TOPS_SCREENSHOTS") != "1" {
					return
				}
				dir := filepath.Join("..", "..", "docs", "screenshots")
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name+"-"+l.name+".png"), shot, 0o644); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
