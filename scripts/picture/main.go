// Command picture draws what a program prints as a picture of a terminal, with the
// seconds of each line's coming before it:
//
//	bin/tops demo | go run ./scripts/picture 'make demo' >docs/demo.svg
//
// `make picture` does that. What the program prints is drawn whole, and nothing else.
package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// Sizes in pixels, and columns of text.
const (
	columns = 118
	width   = 900
	lineH   = 15
	top     = 46
	left    = 14
)

type line struct {
	at   string // seconds since the start; "" of a line that goes on
	text string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: PROGRAM | picture TITLE >FILE.svg")
		os.Exit(2)
	}
	lines, err := record(os.Stdin, os.Stderr, time.Now)
	if err == nil {
		err = draw(os.Stdout, os.Args[1], lines)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// record reads until the program ends, and passes on what it reads.
func record(r io.Reader, copyTo io.Writer, now func() time.Time) (lines []line, err error) {
	start := now()
	in := bufio.NewScanner(r)
	for in.Scan() {
		fmt.Fprintln(copyTo, in.Text())
		at := fmt.Sprintf("%d s", int(now().Sub(start).Seconds()))
		for _, text := range wrap(in.Text(), columns) {
			lines = append(lines, line{at, text})
			at = ""
		}
	}
	return lines, in.Err()
}

// wrap breaks a line between words; what goes on is indented as the line is, and a
// little more.
func wrap(text string, width int) (lines []string) {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))] + "  "
	for utf8.RuneCountInString(text) > width {
		head := string([]rune(text)[:width+1])
		cut := strings.LastIndex(head, " ")
		if cut <= len(indent) {
			break // one long word
		}
		lines, text = append(lines, text[:cut]), indent+text[cut+1:]
	}
	return append(lines, text)
}

func draw(w io.Writer, title string, lines []line) error {
	height := top + len(lines)*lineH + 8
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n", width, height, width, height, escape(title))
	fmt.Fprintln(out, `<style>text{font:11.5px ui-monospace,Menlo,Consolas,monospace;white-space:pre;fill:#d7dce2}.t{fill:#75808c;text-anchor:end}.h{fill:#ffffff;font-weight:bold}.ok{fill:#7ee2a0;font-weight:bold}.no{fill:#ff8f8f}</style>`)
	fmt.Fprintf(out, `<rect width="%d" height="%d" rx="8" fill="#14181d"/><rect width="%d" height="26" rx="8" fill="#232a32"/>`+"\n", width, height, width)
	fmt.Fprintf(out, `<text class="h" x="%d" y="17">$ %s</text>`+"\n", left, escape(title))
	for i, l := range lines {
		y := top + i*lineH
		if l.at != "" {
			fmt.Fprintf(out, `<text class="t" x="%d" y="%d">%s</text>`, left+36, y, l.at)
		}
		fmt.Fprintf(out, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class(l.text), left+46, y, escape(l.text))
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func class(text string) string {
	switch {
	case strings.HasPrefix(text, "demo: ok"):
		return "ok"
	case strings.Contains(text, "NOT SO"):
		return "no"
	case text != "" && text[0] != ' ':
		return "h"
	}
	return "p"
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}
