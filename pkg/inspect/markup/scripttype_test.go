package markup_test

import (
	"testing"

	"libra/pkg/inspect/markup"
)

// TestRunsAsScript is the Fetch standard's table of blocked scripts.
func TestRunsAsScript(t *testing.T) {
	for _, c := range []struct {
		mediaType                           string
		classic, module, nosniff, nosniffed bool // classic and module, then both with nosniff
	}{
		{"text/javascript", true, true, true, true},
		{"application/ecmascript", true, true, true, true},
		{"text/javascript1.5", true, true, true, true},
		{"text/javascript1.6", true, false, false, false},
		{"text/plain", true, false, false, false},
		{"text/html", true, false, false, false},
		{"application/json", true, false, false, false},
		{"application/octet-stream", true, false, false, false},
		{"", true, false, false, false},
		{"text/csv", false, false, false, false},
		{"image/svg+xml", false, false, false, false},
		{"audio/wav", false, false, false, false},
		{"video/mp4", false, false, false, false},
		{"image", true, false, false, false},
		{"video", true, false, false, false},
	} {
		for i, want := range []bool{c.classic, c.module, c.nosniff, c.nosniffed} {
			if got := markup.RunsAsScript(c.mediaType, i%2 == 1, i > 1); got != want {
				t.Errorf("%q, module %v, nosniff %v: runs %v", c.mediaType, i%2 == 1, i > 1, got)
			}
		}
	}
}

func TestIsStyleSheet(t *testing.T) {
	for mediaType, want := range map[string][3]bool{ // strict, lax, with nosniff
		"text/css": {true, true, true}, "": {true, true, false}, "text/plain": {false, true, false},
		"text/html": {false, true, false}, "css": {true, true, false}, "*/*": {true, true, false}, "unknown/unknown": {false, true, false}, "application/x-unknown-content-type": {true, true, false},
	} {
		got := [3]bool{
			markup.IsStyleSheet(mediaType, false, false), markup.IsStyleSheet(mediaType, true, false),
			markup.IsStyleSheet(mediaType, false, true),
		}
		if got != want || markup.IsStyleSheet(mediaType, true, true) != want[2] {
			t.Errorf("%q: strict, lax, nosniff %v, want %v", mediaType, got, want)
		}
	}
}
