package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
	"libra/pkg/web/state"
)

// promtool runs Prometheus's own checker, of Debian's package prometheus.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 && args[0] == "check" {
		t.Errorf("promtool %s: %v (scripts/setup installs it)\n%s\n%s", strings.Join(args, " "), err, out, stdin)
	}
}

// heartbeatCounters lists what components count in their heartbeats: the
// arguments of Count in the programs, and what the chassis and the connection add.
func heartbeatCounters(t *testing.T) map[string][]string {
	t.Helper()
	counters := map[string][]string{}
	sources, err := filepath.Glob("../../cmd/libra-*/*.go")
	if err != nil || len(sources) < 5 {
		t.Fatalf("the programs: %v, %v", sources, err)
	}
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		component := filepath.Base(filepath.Dir(path))
		if counters[component] == nil {
			counters[component] = []string{"goroutines", "cpu_us", "messages_refused", "published", "publishing_us", "publishing_any_us"}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, _ := call.Fun.(*ast.SelectorExpr)
			switch {
			case f == nil:
			case f.Sel.Name == "Start" && len(call.Args) == 3: // wire.Traces
				counters[component] = append(counters[component], "spans_exported", "spans_dropped")
			case f.Sel.Name == "Count" && len(call.Args) == 2:
				counters[component] = append(counters[component], counterName(t, call.Args[0]))
			}
			return true
		})
	}
	return counters
}

// counterName is the name of a counter: a string, or a constant of another package.
func counterName(t *testing.T, arg ast.Expr) string {
	t.Helper()
	switch arg := arg.(type) {
	case *ast.BasicLit:
		name, err := strconv.Unquote(arg.Value)
		if err != nil {
			t.Fatal(err)
		}
		return name
	case *ast.SelectorExpr:
		switch arg.Sel.Name {
		case "StoppedCounter":
			return event.StoppedCounter
		case "RestoringCounter":
			return event.RestoringCounter
		case "RefusedCounter":
			return event.RefusedCounter
		case "WaitingCounter":
			return event.WaitingCounter
		case "WaitingSinceCounter":
			return event.WaitingSinceCounter
		case "LostCounter":
			return event.LostCounter
		case "MissingCounter":
			return event.MissingCounter
		case "MissingOthersCounter":
			return event.MissingOthersCounter
		case "PressureCounter":
			return event.PressureCounter
		case "BehindCounter":
			return state.BehindCounter
		}
	}
	t.Fatalf("a counter of heartbeats whose name this test does not know: %#v", arg)
	return ""
}

const hostileURL = "https://example.org/?q=\"}\\ 1\nlibra_page_up{page=\"x"

// metered is a server with something of everything that /metrics shows.
func metered(t *testing.T) *rig {
	t.Helper()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{MaxPageMetrics: 2}).connected()
	watch := func(n int, url string) event.Request {
		r := request(n)
		r.URL, r.Page = url, libra.PageID(url)
		r.Watch = &event.Watch{Page: r.Page, URL: url, Site: "home", Client: "alice", EveryS: 30, At: noon.Add(time.Duration(n) * time.Minute)}
		h.setWatch(*r.Watch)
		return r
	}
	heavy := reported(watch(1, "https://example.org/heavy"), time.Now().Add(-time.Minute).UTC())
	heavy.Budget = &event.Judged{Lines: 1, Over: []string{"total is over its budget"}}
	heavy.Report.CertificateUntil = noon
	failed := reported(watch(2, hostileURL), time.Now().UTC())
	failed.Report.Outcome, failed.Report.Reasons = libra.Error, []string{"no answer"}
	h.publish(heavy, failed, reported(watch(3, "https://example.org/omitted"), noon))
	components := heartbeatCounters(t)
	for component, names := range components {
		counters := map[string]int64{}
		for _, name := range names {
			counters[name] = 4711
			if name == event.StoppedCounter || name == event.RefusedCounter {
				counters[name] = 0 // everything is stored: what is raised below is known
			}
		}
		h.beats(event.Heartbeat{Component: component, Instance: "1", Version: "1.0", Started: noon, Counters: counters})
	}
	h.raise(transition(1, "bus", libra.Raised, libra.Critical, 1), transition(2, "web", libra.Raised, libra.Minor, 1), transition(3, "disk", libra.Cleared, libra.Minor, 1))
	h.submit("https://example.org/")
	bustest.Await(t, "everything to be measured", func() bool {
		got := h.get("/metrics").body
		return strings.Count(got, "\nlibra_page_up{") == 2 && strings.Count(got, "libra_component_up{") == len(components) && strings.Contains(got, "libra_watched_pages 3\n")
	})
	return h
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	h := metered(t)
	got := h.get("/metrics")
	if want := "text/plain; version=0.0.4"; !strings.HasPrefix(got.header.Get("Content-Type"), want) {
		t.Errorf("Content-Type %q", got.header.Get("Content-Type"))
	}
	promtool(t, got.body, "check", "metrics")
	labels := `{page="` + libra.PageID("https://example.org/heavy") + `",url="https://example.org/heavy"} `
	hostile := `{page="` + libra.PageID(hostileURL) + `",url="https://example.org/?q=\"}\\ 1\nlibra_page_up{page=\"x"} `
	for _, want := range []string{
		"libra_page_up" + labels + "1\n", "libra_page_transfer_bytes" + labels + "10350\n", "libra_page_over_budget" + labels + "1\n",
		"libra_page_score" + labels + "100\n", "libra_page_may_fetch_more" + labels + "0\n", "libra_page_certificate_expiry_timestamp_seconds" + labels + "1.7723664e+09\n",
		"libra_page_up" + hostile + "0\n", "libra_page_last_inspection_age_seconds" + hostile,
		"libra_watched_pages_omitted 1\n",
		`libra_open_alarms{severity="critical"} 1` + "\n", `libra_open_alarms{severity="minor"} 1` + "\n", `libra_open_alarms{severity="info"} 0` + "\n",
		`libra_web_submissions_total{result="accepted"} 1` + "\n", "process_resident_memory_bytes", "go_goroutines",
	} {
		if !strings.Contains(got.body, want) {
			t.Errorf("metrics lack %q:\n%s", want, got.body)
		}
	}
	for _, line := range strings.Split(got.body, "\n") {
		var age float64
		if value, ok := strings.CutPrefix(line, "libra_page_last_inspection_age_seconds"+labels); ok {
			if _, err := fmt.Sscan(value, &age); err != nil || age < 60 || age > 600 {
				t.Errorf("inspected a minute ago: %s", line)
			}
		}
		if strings.HasPrefix(line, "libra_") && strings.Contains(line, "omitted") && !strings.HasPrefix(line, "libra_watched_pages_omitted") || strings.HasPrefix(line, "libra_page_transfer_bytes"+hostile) {
			t.Errorf("should not be there: %s", line)
		}
	}
}

// A page that goes down has no score, and no other figure of its content, until it is
// up again: a metric has no date, and would pass off the last good value as that of now.
func TestMetricsOfAPageThatGoesDown(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := request(1)
	r.Watch = &event.Watch{Page: r.Page, URL: r.URL, Site: "home", Client: "alice", EveryS: 60, At: noon}
	h.setWatch(*r.Watch)
	at := time.Now().UTC()
	series := func(what string, up bool, want ...string) {
		t.Helper()
		at = at.Add(time.Second)
		r.ID += "+"
		rep := reported(r, at)
		rep.Budget, rep.Report.CertificateUntil = &event.Judged{Lines: 1}, noon
		if !up {
			rep.Budget, rep.Report = nil, libra.Report{URL: r.URL, Status: 404, Outcome: libra.Error}
			rep.Report.AddReason(libra.StatusReason(404))
		}
		h.publish(rep)
		body := ""
		bustest.Await(t, what+" to be measured", func() bool {
			body = h.get("/metrics").body
			return strings.Contains(body, fmt.Sprintf("libra_page_up{page=%q,url=%q} %v\n", r.Page, r.URL, map[bool]int{true: 1}[up]))
		})
		var got []string
		for _, m := range regexp.MustCompile(`(?m)^libra_page_([a-z_]+){`).FindAllStringSubmatch(body, -1) {
			got = append(got, m[1])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("series of %s (-want +got):\n%s", what, diff)
		}
	}
	age, expiry := "last_inspection_age_seconds", "certificate_expiry_timestamp_seconds"
	all := []string{expiry, age, "may_fetch_more", "over_budget", "score", "transfer_bytes", "up"}
	series("a good page", true, all...)
	series("a page that is down", false, expiry, age, "up")
	series("a page that is up again", true, all...)
}

// Of 501 watched pages the 500 that are watched the longest have metrics of their
// own, and six of each.
func TestMetricsOfPagesAreBounded(t *testing.T) {
	t.Parallel()
	h := started(t)
	const most = 500 // docs/operations.md says so
	var reports []event.Reported
	for n := range most + 1 {
		r := request(n)
		r.Watch = &event.Watch{Page: r.Page, URL: r.URL, Site: "home", Client: "alice", EveryS: 3600, At: noon.Add(time.Duration(n) * time.Second)}
		h.setWatch(*r.Watch)
		got := reported(r, noon)
		got.Budget, got.Report.CertificateUntil = &event.Judged{Lines: 1}, noon
		reports = append(reports, got)
	}
	h.publish(reports...)
	var body string
	bustest.Await(t, "every page to be measured", func() bool {
		body = h.get("/metrics").body
		return strings.Contains(body, fmt.Sprintf("libra_watched_pages %d\n", most+1)) && strings.Contains(body, fmt.Sprintf("libra_web_pages %d\n", most+1))
	})
	if n := len(regexp.MustCompile(`(?m)^libra_page_[a-z_]+{`).FindAllString(body, -1)); n != 7*most || !strings.Contains(body, "libra_watched_pages_omitted 1\n") {
		t.Errorf("%d series of pages, want %d, and 1 page omitted:\n%s", n, 7*most, regexp.MustCompile(`(?m)^libra_watched_.*`).FindAllString(body, -1))
	}
	if newest := libra.PageID(request(most).URL); strings.Contains(body, newest) || !strings.Contains(body, libra.PageID(request(0).URL)) {
		t.Errorf("the page %s, watched last, has metrics, or the one watched first has none", newest)
	}
	promtool(t, body, "check", "metrics")
}

// Every counter of a heartbeat is a metric of its own; a new one needs a line in
// heartbeatMetrics.
func TestEveryHeartbeatCounterIsExported(t *testing.T) {
	t.Parallel()
	got := metered(t).get("/metrics").body
	shownElsewhere := []string{"requests_submitted", "requests_refused", event.LostCounter} // libra_web_submissions_total, the alarm "lost"
	for component, names := range heartbeatCounters(t) {
		exported := strings.Count(got, fmt.Sprintf("{component=%q,instance=\"1\"} ", component))
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(shownElsewhere, name) })
		if exported != len(names) {
			t.Errorf("%s counts %v, and /metrics shows %d of them", component, names, exported)
		}
	}
}

// docs/operations.md lists what /metrics shows of Libra with its type, and nothing else.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	body := metered(t).get("/metrics").body
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented, exported []string // name and type
	for _, row := range regexp.MustCompile("(?m)^\\| (`libra_[^|]*)\\| ([a-z]+) \\|").FindAllStringSubmatch(string(doc), -1) {
		for _, name := range regexp.MustCompile("libra_[a-z_]+").FindAllString(row[1], -1) {
			documented = append(documented, name+" "+row[2])
		}
	}
	for _, m := range regexp.MustCompile("(?m)^# TYPE (libra_[a-z_]+ [a-z]+)").FindAllStringSubmatch(body, -1) {
		exported = append(exported, m[1])
	}
	slices.Sort(documented)
	if diff := cmp.Diff(exported, documented); diff != "" {
		t.Errorf("operations.md (-exported +documented):\n%s", diff)
	}
}

// query is a query of the dashboard, and the labels in the legend of its panel.
type query struct {
	expr   string
	legend []string
}

var legendLabel = regexp.MustCompile(`{{([^}]*)}}`)

// dashboard lists the queries of the Grafana dashboard.
func dashboard(t *testing.T) (queries []query) {
	t.Helper()
	data, err := os.ReadFile("../../configs/grafana/libra.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Templating struct {
			List []struct{ Definition string }
		}
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for _, v := range doc.Templating.List {
		if metric, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			metric, label, _ := strings.Cut(strings.TrimSuffix(metric, ")"), ", ")
			queries = append(queries, query{expr: fmt.Sprintf(`%s{%s!=""}`, metric, label)})
		}
	}
	for _, p := range doc.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", p.Title)
		}
		for _, target := range p.Targets {
			q := query{expr: target.Expr}
			for _, m := range legendLabel.FindAllStringSubmatch(target.LegendFormat, -1) {
				q.legend = append(q.legend, m[1])
			}
			queries = append(queries, q)
		}
	}
	return queries
}

var (
	metricName = regexp.MustCompile(`\b(?:libra|go|process)_[a-z_]+\b`)
	byLabels   = regexp.MustCompile(`by \(([^)]*)\)`)
	// alwaysTrue is what makes a query find something whatever it asks for, and
	// what may rightly find nothing.
	alwaysTrue = regexp.MustCompile(` or vector\(0\)| == [01]\b`)
)

// labelsOf lists the labels of the metrics that an expression names, in the text
// of /metrics, and those that Prometheus adds.
func labelsOf(body, expr string) []string {
	labels := []string{"job", "instance"}
	for _, name := range metricName.FindAllString(expr, -1) {
		for _, series := range regexp.MustCompile(`(?m)^`+name+`{(.*)} `).FindAllStringSubmatch(body, -1) {
			for _, label := range regexp.MustCompile(`([a-z_]+)="`).FindAllStringSubmatch(series[1], -1) {
				labels = append(labels, label[1])
			}
		}
	}
	return labels
}

// Each query of the dashboard names metrics and labels that exist, and finds
// something: promtool runs them over what /metrics answers, scraped every 30 s.
func TestDashboard(t *testing.T) {
	t.Parallel()
	body := metered(t).get("/metrics").body
	type check struct {
		Expr    string `json:"expr"`
		At      string `json:"eval_time"`
		Samples []any  `json:"exp_samples"`
	}
	type series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	var scraped []series
	for line := range strings.Lines(body) {
		if name, value, ok := lastCut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			if strings.HasSuffix(name, "}") {
				name = strings.Replace(name, "{", `{job="libra",`, 1)
			} else {
				name += `{job="libra"}`
			}
			scraped = append(scraped, series{name, value + "x20"})
		}
	}
	var checks []check
	queries := dashboard(t)
	if len(queries) < 20 {
		t.Errorf("%d queries", len(queries))
	}
	replace := strings.NewReplacer("$__rate_interval", "2m", "$url", ".*", "$job", ".*")
	for _, q := range queries {
		for _, name := range metricName.FindAllString(q.expr, -1) {
			if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(body) {
				t.Errorf("%s: /metrics has no %s", q.expr, name)
			}
		}
		used := q.legend
		for _, by := range byLabels.FindAllStringSubmatch(q.expr, -1) {
			used = append(used, strings.Split(by[1], ", ")...)
		}
		for _, label := range used {
			if !slices.Contains(labelsOf(body, q.expr), label) {
				t.Errorf("%s: its metrics have no label %q", q.expr, label)
			}
		}
		some := "count(" + replace.Replace(alwaysTrue.ReplaceAllString(q.expr, "")) + ") > bool 0"
		checks = append(checks, check{some, "5m", []any{map[string]any{"labels": "{}", "value": 1}}})
	}
	data, err := json.Marshal(map[string]any{"tests": []any{map[string]any{"interval": "30s", "input_series": scraped, "promql_expr_test": checks}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "test.yaml") // JSON is YAML
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "", "test", "rules", file)
}

// lastCut cuts s around the last sep.
func lastCut(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// Whatever clients make up, the label route has the patterns of routes only.
func TestRoutesOfMetricsAreBounded(t *testing.T) {
	t.Parallel()
	h := started(t)
	for _, path := range []string{"/made-up", "/made-up/", "//made-up", "/api/pages/made-up", "/api/../made-up", "/made-up/%2e%2e", "/pages/made-up/watch", "/static/made-up"} {
		for _, method := range []string{"GET", "POST", "DELETE", "MADE-UP"} {
			h.do(method, path, "")
		}
	}
	body := h.get("/metrics").body
	routes := regexp.MustCompile(`libra_web_requests_total{code="\d+",route="([^"]*)"}`).FindAllStringSubmatch(body, -1)
	for _, r := range routes {
		if strings.Contains(r[1], "made-up") || r[1] == "" {
			t.Errorf("route %q in %s", r[1], r[0])
		}
	}
	if len(routes) < 5 || !strings.Contains(body, `route="none"`) || !strings.Contains(body, `route="/static/{file}"`) {
		t.Errorf("routes %q", routes)
	}
}
