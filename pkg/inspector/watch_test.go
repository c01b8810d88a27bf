package inspector_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspect/budget"
	"libra/pkg/libra"
)

// A watched page is inspected at its interval, each time against its budget and the
// report before. Its script may fetch more, so that sizes are at least what they are:
// these lines are the evidence of an alarm, and the text of its notification.
func TestWatched(t *testing.T) {
	var visits atomic.Int64
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<script>fetch('/more')</script>" + strings.Repeat("x", 4000*int(visits.Add(1)))))
	}))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	url := site.URL + "/"
	watch := event.Watch{
		Page: libra.PageID(url), URL: url, Site: "home", Client: "alice", EveryS: 1, At: time.Now().UTC(),
		Budget: json.RawMessage(`[{"resourceSizes":[{"resourceType":"total","budget":1}],"resourceCounts":[{"resourceType":"image","budget":0}],"maxDeltaVsLast":[{"resourceType":"total","budget":2}]}]`),
	}
	if err := web.SetWatch(t.Context(), watch); err != nil {
		t.Fatal(err)
	}
	defer run(t, b.Connect("inspector"), b, "1")()
	var first, second event.Reported
	bustest.Await(t, "the first report", func() (ok bool) {
		var err error
		first, err = web.LastReport(t.Context(), watch.Page)
		return err == nil
	})
	bustest.Await(t, "the second report", func() (ok bool) {
		var err error
		second, err = web.LastReport(t.Context(), watch.Page)
		return err == nil && second.Request.ID != first.Request.ID
	})
	if first.Request.Watch == nil || first.Budget == nil {
		t.Fatalf("the first report: %+v", first)
	}
	if first.Budget.Lines != 3 || len(first.Budget.Over) != 1 || !regexp.MustCompile(`^total is at least 4\.\d kB, at least 3\.\d kB over its budget of 1\.0 kB \(1 KB in the file\)$`).MatchString(first.Budget.Over[0]) ||
		len(first.Budget.Within) != 2 || first.Budget.Within[0] != "image is at least 0 requests, within its budget of 0 requests" || !strings.Contains(first.Budget.Within[1], "not judged: no earlier") ||
		len(first.Budget.OverLines) != 1 || first.Budget.OverLines[0].Over <= 0 {
		t.Errorf("the first is judged %+v", first.Budget)
	}
	if second.Budget == nil || len(second.Budget.Over) != 2 || !strings.Contains(strings.Join(second.Budget.Over, "\n"), "grown") {
		t.Errorf("the second is judged %+v: it has grown by 4 KB", second.Budget)
	}
}

// Of a budget with many lines, the first of those that are within are named.
func TestBudgetNamesTheFirstLinesWithin(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
	}))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	var lines []string
	for _, name := range append(libra.ResourceTypes(), "total", "third-party") {
		lines = append(lines, fmt.Sprintf(`{"resourceType":%q,"budget":9}`, name))
	}
	list := "[" + strings.Join(lines, ",") + "]"
	watch := event.Watch{
		Page: libra.PageID(site.URL + "/"), URL: site.URL + "/", Site: "home", Client: "alice", EveryS: 1, At: time.Now().UTC(),
		Budget: json.RawMessage(`[{"resourceSizes":` + list + `,"resourceCounts":` + list + `,"maxDeltaVsLast":` + list + `}]`),
	}
	if err := web.SetWatch(t.Context(), watch); err != nil {
		t.Fatal(err)
	}
	defer run(t, b.Connect("inspector"), b, "1")()
	var got event.Reported
	bustest.Await(t, "a report", func() (ok bool) {
		var err error
		got, err = web.LastReport(t.Context(), watch.Page)
		return err == nil
	})
	if got.Budget == nil || got.Budget.Lines != 3*len(lines) || len(got.Budget.Over) != 0 {
		t.Fatalf("judged %+v, want %d lines", got.Budget, 3*len(lines))
	}
	budgets, err := budget.Parse("budget", watch.Budget)
	if err != nil {
		t.Fatal(err)
	}
	var first []string
	for _, line := range budget.Check(budgets, got.Report, nil).Lines[:event.MostWithin] {
		first = append(first, line.String())
	}
	if diff := cmp.Diff(first, got.Budget.Within); diff != "" {
		t.Errorf("the lines within that are named (-want +got):\n%s", diff)
	}
}
