package cli

import (
	"cmp"
	"io"
	"strings"
	"time"

	"libra/pkg/libra"
)

// spanAnswer is a span, as GET /api/pages/{id}/trace lists them: parents come before their
// children.
type spanAnswer struct {
	ID         string    `json:"span_id"`
	Parent     string    `json:"parent_id"`
	Name       string    `json:"name"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	Error      string    `json:"error"`
	Attributes struct {
		URL string `json:"url.full"`
	} `json:"attributes"`
}

// traceAnswer is what GET /api/pages/{id}/trace answers.
type traceAnswer struct {
	Request string       `json:"request"`
	TraceID string       `json:"trace_id"`
	Spans   []spanAnswer `json:"spans"`
}

// timelineWidth is how many characters the longest bar has.
const timelineWidth = 40

// writeTimeline prints the spans of a request, each below its parent.
func writeTimeline(w io.Writer, s screen, a *traceAnswer) {
	t := table{columns: []column{left("SPAN").cutTo(24), right("AFTER"), right("TOOK"), left("TIMELINE").goes(1)}}
	if len(a.Spans) == 0 {
		return
	}
	whole := a.Spans[0]
	depth := map[string]int{whole.ID: 0}
	for i, span := range a.Spans {
		name, indent := span.Name, 0
		if i > 0 {
			indent = depth[span.Parent] + 1
			depth[span.ID] = indent
			name = cmp.Or(span.Attributes.URL, name)
		}
		after, took := span.Start.Sub(whole.Start), span.End.Sub(span.Start)
		t.add(text(strings.Repeat("  ", indent)+name), text(libra.FormatDuration(after)), text(libra.FormatDuration(took)), text(barText(after, took, whole.End.Sub(whole.Start))))
		if span.Error != "" {
			t.note(span.Error)
		}
	}
	t.write(w, s)
}

// barText is a bar on a scale of timelineWidth characters.
func barText(after, took, whole time.Duration) string {
	if whole <= 0 {
		return ""
	}
	place := func(d time.Duration) int {
		return min(timelineWidth, max(0, int(float64(timelineWidth)*float64(d)/float64(whole))))
	}
	from := min(place(after), timelineWidth-1)
	return strings.Repeat(" ", from) + strings.Repeat("█", max(1, place(after+took)-from))
}
