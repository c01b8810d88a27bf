package pages

import (
	"net/http"
	"regexp"
	"strings"

	"libra/docs"
)

// RunbookPath is where the runbook is served: it is at hand where nobody has a
// checkout, at night, on a phone.
const RunbookPath = "/runbook"

// runbookSection is what to do about one alarm. Its text stays as it is written
// in Markdown, which is made to be read so; only links are links, and lines are
// as long as the screen is wide.
type runbookSection struct {
	ID   string // the anchor
	Text []runbookSpan
}

// runbookSpan is text, and the section that it leads to, "" for none.
type runbookSpan struct{ Text, To string }

// runbook is the section of that name of docs/operations.md.
var runbook = readRunbook(docs.Operations)

var runbookLink = regexp.MustCompile(`\[([^\]]+)\]\(#([a-z-]+)\)`)

func readRunbook(markdown string) (sections []runbookSection) {
	_, text, _ := strings.Cut(markdown, "\n## Runbook\n")
	text, _, _ = strings.Cut(text, "\n## ")
	parts := strings.Split(text, "\n### ")[1:]
	known := map[string]bool{}
	for _, part := range parts {
		id, _, _ := strings.Cut(part, "\n")
		known[id] = true
	}
	for _, part := range parts {
		id, body, _ := strings.Cut(part, "\n")
		sections = append(sections, runbookSection{ID: id, Text: runbookSpans(unwrap(strings.TrimSpace(body)), known)})
	}
	return sections
}

// runbookItem is what begins a line of its own: an item, a row, or what is to be
// typed.
var runbookItem = regexp.MustCompile(`^([0-9]+\. |- |\||    )`)

// unwrap joins lines that were broken to fit a screen wider than a phone's.
func unwrap(text string) string {
	lines := strings.Split(text, "\n")
	joined := []string{lines[0]}
	for i, line := range lines[1:] {
		before := lines[i]
		if line == "" || before == "" || runbookItem.MatchString(line) || strings.HasPrefix(before, "    ") {
			joined = append(joined, line)
			continue
		}
		joined[len(joined)-1] += " " + strings.TrimSpace(line)
	}
	return strings.Join(joined, "\n")
}

// runbookSpans cuts text at its links, of which those that lead out of the
// runbook stay text.
func runbookSpans(text string, known map[string]bool) (spans []runbookSpan) {
	done := 0
	for _, at := range runbookLink.FindAllStringSubmatchIndex(text, -1) {
		if to := text[at[4]:at[5]]; known[to] {
			spans = append(spans, runbookSpan{Text: text[done:at[0]]}, runbookSpan{text[at[2]:at[3]], to})
			done = at[1]
		}
	}
	return append(spans, runbookSpan{Text: text[done:]})
}

func (s *Pages) GetRunbook(w http.ResponseWriter, r *http.Request) {
	s.renderLive(w, r, http.StatusOK, "runbook", layout{Title: "Runbook", Nav: "/alarms", Document: runbook})
}
