package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPicture(t *testing.T) {
	now := time.Unix(0, 0)
	clock := func() time.Time { now = now.Add(time.Second); return now }
	lines, err := record(strings.NewReader("one <two>\n  "+strings.Repeat("word ", 30)+"\ndemo: ok"), io.Discard, clock)
	if err != nil {
		t.Fatal(err)
	}
	want := []line{{"1 s", "one <two>"}, {"2 s", "  " + strings.Repeat("word ", 22) + "word"}, {"", "    " + strings.Repeat("word ", 7)}, {"3 s", "demo: ok"}}
	if diff := cmp.Diff(want, lines, cmp.AllowUnexported(line{})); diff != "" {
		t.Error(diff)
	}
	var b strings.Builder
	if err := draw(&b, "a & b", lines); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, &b)
		}
	}
	if n := strings.Count(b.String(), "<text "); n != 8 {
		t.Errorf("%d texts\n%s", n, &b)
	}
}
