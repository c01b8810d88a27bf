package css_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
)

const conditionFile = "testdata/conditions.txt"

// TestConditions compares media queries and supports conditions with
// Chromium's answers: lines of "media|supports true|false text".
func TestConditions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(conditionFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if *update {
		lines = askConditions(t, lines)
		if err := os.WriteFile(conditionFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range lines {
		kind, want, cond := splitCondition(line)
		var got bool
		switch kind {
		case "media":
			got = media.Match(cond, media.Desktop())
		case "supports":
			got = stylesheet.Supports(cond)
		default:
			t.Fatalf("line %q is neither media nor supports", line)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s %q: Chromium says %s, here %v", kind, cond, want, got)
		}
	}
}

func splitCondition(line string) (kind, want, cond string) {
	kind, rest, _ := strings.Cut(line, " ")
	want, cond, _ = strings.Cut(rest, " ")
	return kind, want, cond
}

func askConditions(t *testing.T, lines []string) []string {
	t.Helper()
	ctx := chromium(t)
	for i, line := range lines {
		kind, _, cond := splitCondition(line)
		quoted, err := json.Marshal(cond)
		if err != nil {
			t.Fatal(err)
		}
		script := "CSS.supports(" + string(quoted) + ")"
		if kind == "media" {
			script = "matchMedia(" + string(quoted) + ").matches"
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
		if err != nil {
			t.Fatalf("ask %s: %v", line, err)
		}
		lines[i] = fmt.Sprintf("%s %v %s", kind, got, cond)
	}
	return lines
}
