package pages

import (
	"net/http"
	"regexp"
	"strings"

	"libra/docs"
)

// RunbookPath is where the runbook is served, for a reader without a checkout, on a
// phone.
const RunbookPath = "/runbook"

// runbookSection is what to do about one alarm. Its lists and paragraphs stay as
// they are written in Markdown; links, code and emphasis are marked up, and lines
// are as long as the screen is wide.
type runbookSection struct {
	ID   string // the anchor
	Text []runbookSpan
}

// runbookSpan is text of one kind.
type runbookSpan struct {
	Text   string
	To     string // the section that it links to, "" for none
	Code   bool   // a command, a setting or a path
	Strong bool
}

// runbook is the section of that name of docs/operations.md.
var runbook = readRunbook(docs.Operations)

// runbookMark matches what Markdown marks up: a link to a section, code between
// backticks, an indented line of code, emphasis.
var runbookMark = regexp.MustCompile("\\[([^\\]]+)\\]\\(#([a-z-]+)\\)|`([^`]+)`|(?m:^    (.+)$)|\\*([^*\n]+)\\*")

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

// runbookSpans cuts text into spans. A link out of the runbook stays text.
func runbookSpans(text string, known map[string]bool) (spans []runbookSpan) {
	done := 0
	for _, at := range runbookMark.FindAllStringSubmatchIndex(text, -1) {
		group := func(n int) string {
			if at[2*n] < 0 {
				return ""
			}
			return text[at[2*n]:at[2*n+1]]
		}
		span := runbookSpan{Text: group(1) + group(3) + group(4) + group(5), To: group(2), Code: group(3)+group(4) != "", Strong: group(5) != ""}
		if span.To != "" && !known[span.To] {
			continue
		}
		spans = append(spans, runbookSpan{Text: text[done:at[0]]}, span)
		done = at[1]
	}
	return append(spans, runbookSpan{Text: text[done:]})
}

// GetRunbook serves GET /runbook.
func (s *Pages) GetRunbook(w http.ResponseWriter, r *http.Request) {
	s.renderLive(w, r, http.StatusOK, "runbook", layout{Title: "Runbook", Nav: "/alarms", Document: runbook})
}
