package pages_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/el-tor/tops/internal/pages"
	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	text := "# A page, with `code`\n\n```sh\ntops run  # a remark\n\n# only a remark\nmake \\\n  demo\n```\n\n    a picture\n\n      of two lines\n" +
		"and [a link](b.md#there), one [out](https://example.com/), one [here](#a-page-with-code)\n"
	if err := os.WriteFile(filepath.Join(dir, "a.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := pages.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []pages.Page{{
		Path: "a.md",
		Blocks: []pages.Block{
			{Lang: "sh", Line: 3, Text: "tops run  # a remark\n\n# only a remark\nmake \\\n  demo\n"},
			{Line: 11, Text: "a picture\n\n  of two lines\n"},
		},
		Links:  []pages.Link{{Path: "b.md", Slug: "there", Line: 14}, {Path: "a.md", Slug: "a-page-with-code", Line: 14}},
		Inline: []string{"code"},
		Slugs:  map[string]bool{"a-page-with-code": true},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	commands := got[0].Commands()
	if diff := cmp.Diff([]pages.Command{{Page: "a.md", Line: 4, Text: "tops run"}, {Page: "a.md", Line: 8, Text: "make demo"}}, commands); diff != "" {
		t.Error(diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.md"), []byte("```\nwhat is this\n```\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pages.Read(dir); err == nil {
		t.Error("a fence without a language was taken")
	}
}
