package pages

import (
	"cmp"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

const (
	// openFetches is up to how many requests of a page its timeline shows unasked.
	openFetches = 50
	// maxFetches bounds those that it shows at all; the JSON has all.
	maxFetches = 100
	// leastBar is the width of the shortest bar, as a share of the widest.
	leastBar = 0.004
)

// timeline is where the time of a request went.
type timeline struct {
	TraceID string
	Total   time.Duration // from when it was asked until its report
	Parts   []bar         // on a scale of Total
	Fetches []bar         // on a scale of the inspection, the first maxFetches
	Count   int           // of all fetches
	Left    int           // of them that are not shown
	Open    bool          // Fetches are shown unasked
}

// bar is a span as a bar.
type bar struct {
	Name  string
	Title string // the whole of a name that is short
	Class string // of the bar: a resource type, "" for none
	Part  bool   // of the bar before that is not one
	Fault bool
	From  float64 // where it begins, 0 to 1
	Share float64 // how wide it is, 0 to 1
	After time.Duration
	Took  time.Duration
}

// partLabels are the spans of a request in words; those of the steps are stepLabels.
var partLabels = map[string]string{
	trace.Request: "whole request", trace.Queued: "queued", trace.Waiting: "waiting for its host, or for room", trace.Inspection: "inspection", trace.Reporting: "report",
}

// timelineOf draws the spans of a request.
func timelineOf(r event.Reported) *timeline {
	spans := trace.Spans(r)
	whole, inspection := spans[0], spans[0]
	t := &timeline{TraceID: trace.ID(r.Request), Total: whole.Duration()}
	origin := originOf(cmp.Or(r.Report.FinalURL, r.Report.URL))
	for _, s := range spans {
		switch s.Name {
		case trace.Fetch:
			if t.Count++; len(t.Fetches) == maxFetches {
				t.Left++
				continue
			}
			b := barOf(s, inspection)
			b.Title, _ = s.Attributes["url.full"].(string)
			b.Name, b.Fault = assetName(b.Title, origin), s.Error != ""
			b.Class, _ = s.Attributes["libra.type"].(string)
			t.Fetches = append(t.Fetches, b)
			continue
		case trace.Inspection:
			inspection = s
		}
		b := barOf(s, whole)
		b.Name, b.Part = cmp.Or(partLabels[s.Name], stepLabels[libra.Step(s.Name)]), s.Parent == inspection.ID && inspection.ID != whole.ID
		t.Parts = append(t.Parts, b)
	}
	t.Open = t.Count <= openFetches
	return t
}

// barOf is a span on the scale of another one.
func barOf(s, whole trace.Span) bar {
	b := bar{After: s.Start.Sub(whole.Start), Took: s.Duration()}
	if total := whole.Duration(); total > 0 {
		b.Share = min(1, max(leastBar, float64(b.Took)/float64(total)))
		b.From = min(1-b.Share, max(0, float64(b.After)/float64(total)))
	}
	return b
}
