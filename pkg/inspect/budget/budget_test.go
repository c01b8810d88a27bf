package budget_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/budget"
	"libra/pkg/libra"
)

var update = flag.Bool("update", false, "write the golden files")

const sample = `[
  {
    "path": "/*",
    "options": {"firstPartyHostnames": ["example.org", "*.cdn.example.net"]},
    "resourceSizes": [{"resourceType": "total", "budget": 300}, {"resourceType": "script", "budget": 0.5}],
    "resourceCounts": [{"resourceType": "third-party", "budget": 1}],
    "maxDeltaVsLast": [{"resourceType": "total", "budget": "5%"}, {"resourceType": "image", "budget": 50}]
  },
  {"path": "/blog", "resourceSizes": [{"resourceType": "total", "budget": 200}], "maxDeltaVsLast": 10}
]`

func parse(t testing.TB, text string) []budget.Budget {
	t.Helper()
	b, err := budget.Parse("budget.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	want := []budget.Budget{
		{
			Path: "/*", FirstParty: []string{"example.org", "*.cdn.example.net"},
			Sizes:  []budget.Line{{Type: "total", Max: 300 << 10, Given: "300 KB"}, {Type: "script", Max: 512, Given: "0.5 KB"}},
			Counts: []budget.Line{{Type: "third-party", Max: 1}},
			Deltas: []budget.Line{{Type: "total", Share: 50, IsShare: true, Given: "5%"}, {Type: "image", Max: 50 << 10, Given: "50 KB"}},
		},
		{Path: "/blog", Sizes: []budget.Line{{Type: "total", Max: 200 << 10, Given: "200 KB"}}, Deltas: []budget.Line{{Type: "total", Max: 10 << 10, Given: "10 KB"}}},
	}
	if diff := cmp.Diff(want, parse(t, sample)); diff != "" {
		t.Error(diff)
	}
}

func TestParseNamesLineValueAndRemedy(t *testing.T) {
	const all = "allowed are total, document, stylesheet, script, image, media, font, other, third-party"
	for _, tt := range []struct{ text, want string }{
		{"", "f:1:1: not JSON: the file ends too early"},
		{"[\n  {]", `f:2:4: not JSON: invalid character ']'`},
		{"[{}\n", "f:2:1: not JSON: the file ends too early"},
		{"path: /", "f:1:1: not JSON: invalid character 'p'"},
		{"[{}] 1", "f:1:6: something follows the end of the list: remove it"},
		{"\xff", "f:1:1: file is not UTF-8 text"},
		{"{}", "f:1:1: budgets are an object: write a list of budgets, [{…}]"},
		{"[]", "f:1:1: the list has no budget"},
		{"[3]", "f:1:2: a budget is a number: write an object with path, options, resourceSizes"},
		{"[{\n\t\"resourceSize\": []}]", `f:2:2: key "resourceSize" is unknown: allowed are path, options, resourceSizes, resourceCounts, maxDeltaVsLast`},
		{`[{"timings": []}]`, `f:1:3: key "timings" is not supported, as Libra measures sizes and not times: remove it`},
		{`[{"path": "/", "path": "/b"}]`, `f:1:16: key "path" is given twice`},
		{`[{"path": "blog"}]`, `f:1:11: path "blog" does not start with /`},
		{`[{"path": "/*/*"}]`, "has more than one *"},
		{`[{"path": "/a$b"}]`, "has a $ before its end"},
		{`[{"path": 3}]`, `f:1:11: path is a number: write a string such as "/blog/*"`},
		{`[{"options": {"hosts": []}}]`, `f:1:15: key "hosts" is unknown: allowed is firstPartyHostnames`},
		{`[{"options": {"firstPartyHostnames": ["https://x"]}}]`, `invalid first-party host "https://x"`},
		{`[{"resourceSizes": {}}]`, "f:1:20: resourceSizes is an object: write a list"},
		{`[{"resourceSizes": [{"resourceType": "scripts", "budget": 1}]}]`, `f:1:38: resourceType "scripts" is unknown: ` + all},
		{`[{"resourceSizes": [{"resourceType": null, "budget": 1}]}]`, "resourceType null is unknown: " + all},
		{`[{"resourceSizes": [{"resourceType": "total"}]}]`, "f:1:21: the line has no budget"},
		{`[{"resourceSizes": [{"budget": 1}]}]`, "the line has no resourceType: write one of total"},
		{`[{"resourceSizes": [{"resourceType": "total", "budget": 1, "tolerance": 1}]}]`, `key "tolerance" is unknown: allowed are resourceType and budget`},
		{`[{"resourceSizes": [{"resourceType": "total", "budget": -1}]}]`, "f:1:57: invalid size -1: write a number of KB from 0 to 10000000"},
		{`[{"resourceSizes": [{"resourceType": "total", "budget": "300"}]}]`, `invalid size "300"`},
		{`[{"resourceSizes": [{"resourceType": "total", "budget": 1e400}]}]`, "invalid size 1e400"},
		{`[{"resourceCounts": [{"resourceType": "total", "budget": 1.5}]}]`, "invalid count 1.5: write a whole number"},
		{`[{"resourceCounts": [{"resourceType": "font", "budget": 1}, {"resourceType": "font", "budget": 2}]}]`, `f:1:61: resourceCounts has resourceType "font" twice`},
		{`[{"maxDeltaVsLast": "ten"}]`, `f:1:21: invalid growth "ten": write a share from "0%" to "1000%", or a number of KB`},
		{`[{"maxDeltaVsLast": "NaN%"}]`, `invalid growth "NaN%"`},
		{strings.Repeat("[", 100), "nested more than 16 deep"},
	} {
		_, err := budget.Parse("f", []byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60s: got %v, want …%s…", tt.text, err, tt.want)
		}
		if e := (*budget.Error)(nil); !errors.As(err, &e) {
			t.Errorf("%.60s: %T is no *budget.Error", tt.text, err)
		}
	}
}

func TestParseNamesEveryFault(t *testing.T) {
	_, err := budget.Parse("f", []byte("[{\"a\": 1,\n\"resourceSizes\": [{\"resourceType\": \"x\", \"budget\": -1}]}]"))
	if n := strings.Count(err.Error(), "\n"); n != 2 {
		t.Errorf("got %d line breaks in %q, want three faults", n, err)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		paths []string
		url   string
		want  string // path of the budget, "" for none
	}{
		{[]string{"/*", "/blog"}, "https://x.org/blog/1", "/blog"},
		{[]string{"/blog", "/*"}, "https://x.org/blog/1", "/*"}, // the last one
		{[]string{"/*", "/blog"}, "https://x.org/", "/*"},
		{[]string{"/"}, "https://x.org", "/"},
		{[]string{"/blog"}, "https://x.org/", ""},
		{[]string{"/blog"}, "https://x.org/blogger", "/blog"},
		{[]string{"/blog$"}, "https://x.org/blogger", ""},
		{[]string{"/blog$"}, "https://x.org/blog#top", "/blog$"},
		{[]string{"/*.php"}, "https://x.org/a/b.php?x=1", "/*.php"},
		{[]string{"/*.php$"}, "https://x.org/a/b.php?x=1", ""},
		{[]string{"/*.php$"}, "https://x.org/a/b.php", "/*.php$"},
		{[]string{"/a*a$"}, "https://x.org/a", ""}, // the * and both letters
		{[]string{"/*?id="}, "https://x.org/p?id=3", "/*?id="},
		{[]string{"/Blog"}, "https://x.org/blog", ""},
	} {
		var all []budget.Budget
		for _, p := range tt.paths {
			all = append(all, budget.Budget{Path: p})
		}
		got, _ := budget.Match(all, tt.url)
		if got.Path != tt.want {
			t.Errorf("%q on %s: got %q, want %q", tt.paths, tt.url, got.Path, tt.want)
		}
	}
}

func report(url string, assets ...libra.Asset) libra.Report {
	for i := range assets {
		if assets[i].Fetch == "" {
			assets[i].Fetch = libra.Fetched
		}
	}
	return libra.Report{
		URL: url, FinalURL: url, Outcome: libra.Complete, Started: time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC), DurationMS: 1234,
		Assets: assets, Totals: libra.Sum(assets), ScriptsNotExecuted: &libra.Scripts{Count: 1, Bytes: 1024}, ReasonList: libra.ReasonList{Reasons: []string{}},
	}
}

func samplePage(extra int64) libra.Report {
	return report(
		"https://example.org/",
		libra.Asset{URL: "https://example.org/", Type: libra.Document, HeaderBytes: 1024, EncodedBytes: 99 << 10},
		libra.Asset{URL: "https://a.cdn.example.net/x.js", Type: libra.Script, EncodedBytes: 1024},
		libra.Asset{URL: "https://ads.example.com/1.png", Type: libra.Image, EncodedBytes: 100<<10 + extra},
		libra.Asset{URL: "https://www.example.org/2.png", Type: libra.Image, EncodedBytes: 10 << 10},
		libra.Asset{URL: "https://ads.example.com/late.png", Type: libra.Image, EncodedBytes: 900 << 10, Fetch: libra.Lazy},
	)
}

func TestCheck(t *testing.T) {
	before := samplePage(0)
	got := budget.Check(parse(t, sample), samplePage(60<<10), &before)
	want := budget.Result{
		URL: "https://example.org/", Path: "/*", Over: true, Notes: []string{},
		Lines: []budget.Outcome{
			{Kind: budget.Sizes, Type: "total", Unit: "bytes", Budgeted: 300 << 10, Actual: 271 << 10, Given: "300 KB"},
			{Kind: budget.Sizes, Type: "script", Unit: "bytes", Budgeted: 512, Actual: 1024, Over: 512, Given: "0.5 KB"},
			{Kind: budget.Counts, Type: "third-party", Unit: "requests", Budgeted: 1, Actual: 2, Over: 1}, // www. is not listed
			{Kind: budget.Deltas, Type: "total", Unit: "bytes", Budgeted: (211 << 10) / 20, Actual: 60 << 10, Over: 60<<10 - (211<<10)/20, Given: "5%"},
			{Kind: budget.Deltas, Type: "image", Unit: "bytes", Budgeted: 50 << 10, Actual: 60 << 10, Over: 10 << 10, Given: "50 KB"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A figure over its limit never reads as the limit, and a smaller page has shrunk.
func TestLineReads(t *testing.T) {
	for _, tt := range []struct {
		line budget.Outcome
		want string
	}{
		{
			budget.Outcome{Kind: budget.Sizes, Type: "total", Unit: "bytes", Budgeted: 307_200, Actual: 2_244_339, Over: 1_937_139, Given: "300 KB"},
			"total is 2.2 MB, 1.9 MB over its budget of 307.2 kB (300 KB in the file)",
		},
		{
			budget.Outcome{Kind: budget.Sizes, Type: "total", Unit: "bytes", Budgeted: 307_200, Actual: 307_240, Over: 40, Given: "300 KB"},
			"total is 307.2 kB (307240 B), 40 B over its budget of 307.2 kB (307200 B; 300 KB in the file)",
		},
		{
			budget.Outcome{Kind: budget.Sizes, Type: "script", Unit: "bytes", Budgeted: 307_200, Actual: 307_160, Given: "300 KB"},
			"script is 307.2 kB (307160 B), within its budget of 307.2 kB (307200 B; 300 KB in the file)",
		},
		{budget.Outcome{Kind: budget.Counts, Type: "image", Unit: "requests", Budgeted: 1, Actual: 2, Over: 1}, "image is 2 requests, 1 request over its budget of 1 request"},
		{budget.Outcome{Kind: budget.Deltas, Type: "total", Unit: "bytes", Budgeted: 2000, Actual: -1500}, "total has shrunk by 1.5 kB, within its budget of 2.0 kB"},
	} {
		if got := tt.line.String(); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
}

func TestCheckWithoutPrevious(t *testing.T) {
	r := samplePage(0)
	r.Outcome = libra.Partial
	got := budget.Check(parse(t, `[{"maxDeltaVsLast": 1}]`), r, nil)
	if got.Over || got.Lines[0].Skipped == "" || !got.Partial || !strings.Contains(got.Notes[0], "lower bound") {
		t.Errorf("got %+v", got)
	}
	r.Outcome = libra.Partial
	if again := budget.Check(parse(t, `[{"maxDeltaVsLast": 1}]`), samplePage(1e6), &r); again.Over || again.Lines[0].Skipped == "" {
		t.Errorf("compared with a partial report: %+v", again)
	}
}

// A partial report and an error page are not within their budget.
func TestUnjudged(t *testing.T) {
	within := parse(t, `[{"resourceCounts": [{"resourceType": "total", "budget": 100}]}]`)
	over := parse(t, `[{"resourceCounts": [{"resourceType": "total", "budget": 1}]}]`)
	for _, tt := range []struct {
		budgets  []budget.Budget
		outcome  libra.Outcome
		status   int
		want     string // Unjudged begins with it
		over     bool
		lines    int
		allowing string // what is left of it with AllowPartial
	}{
		{within, libra.Complete, 200, "", false, 1, ""},
		{within, libra.Partial, 200, "the report is partial", false, 1, ""},
		{over, libra.Partial, 200, "", true, 1, ""},
		{within, libra.Error, 404, "the page answered 404", false, 0, "the page answered 404"},
		{over, libra.Error, 503, "the page answered 503", false, 0, "the page answered 503"},
		{within, libra.Error, 0, "no such host", false, 0, "no such host"},
	} {
		r := samplePage(0)
		r.Outcome, r.Status, r.Reasons = tt.outcome, tt.status, []string{"no such host"}
		got := budget.Check(tt.budgets, r, nil)
		was := got.Unjudged
		got.AllowPartial()
		if !strings.HasPrefix(was, tt.want) || (was == "") != (tt.want == "") || got.Over != tt.over || len(got.Lines) != tt.lines ||
			!strings.HasPrefix(got.Unjudged, tt.allowing) || (got.Unjudged == "") != (tt.allowing == "") {
			t.Errorf("%s, answered %d: %q, then %+v", tt.outcome, tt.status, was, got)
		}
	}
}

func TestCheckWithoutBudget(t *testing.T) {
	got := budget.Check(parse(t, `[{"path": "/shop"}]`), samplePage(0), nil)
	if got.Over || got.Unjudged == "" || got.Lines == nil {
		t.Errorf("got %+v", got)
	}
}

// TestThirdParty without a list goes by registrable domain.
func TestThirdParty(t *testing.T) {
	for page, third := range map[string]int64{"https://www.example.org/": 1, "http://127.0.0.1:8080/": 3, "https://shop.co.uk/": 3} {
		r := samplePage(0)
		r.Assets = []libra.Asset{
			{URL: page, Fetch: libra.Fetched},
			{URL: "https://example.org/", Fetch: libra.Fetched},
			{URL: "https://other.co.uk/", Fetch: libra.Fetched},
			{URL: "https://img.example.org/", Fetch: libra.Fetched},
		}
		r.FinalURL = page
		got := budget.Check(parse(t, `[{"resourceCounts": [{"resourceType": "third-party", "budget": 0}]}]`), r, nil)
		if got.Lines[0].Actual != third {
			t.Errorf("%s: %d third-party requests, want %d", page, got.Lines[0].Actual, third)
		}
	}
}

func TestJUnit(t *testing.T) {
	budgets := parse(t, sample)
	r := samplePage(0)
	failed := libra.Report{URL: "https://down.example.org/?a=1&b=2", Outcome: libra.Error, ReasonList: libra.ReasonList{Reasons: []string{"no such host \"down.example.org\": \x00 check the spelling"}}}
	var got bytes.Buffer
	err := budget.WriteJUnit(&got, []budget.Checked{{r, budget.Check(budgets, r, nil)}, {failed, budget.Check(budgets, failed, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
	}
	if err := xml.Unmarshal(got.Bytes(), &parsed); err != nil {
		t.Fatal(err)
	}
	if parsed.Tests != 6 || parsed.Failures != 2 || parsed.Errors != 1 {
		t.Errorf("counts %+v", parsed)
	}
	golden := filepath.Join("testdata", "junit.xml")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Error(diff)
	}
}

// FuzzParse: no file brings the parser down; what it takes, it can check, and
// what it refuses has a place inside the file.
func FuzzParse(f *testing.F) {
	for _, s := range []string{sample, "[]", "[{\"resourceSizes\":[{\"resourceType\":\"total\",\"budget\":1e3}]}]", "[{\"path\":\"/*$\",\"maxDeltaVsLast\":\"5%\"}]", "{\"a\":[1,true,null]}", "[\n\n{,", "\xef\xbb\xbf[]", "[{\"é\":1,\"b\":}]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		budgets, err := budget.Parse("f", data)
		if err == nil {
			if len(budgets) == 0 {
				t.Fatal("neither budgets nor an error")
			}
			r := samplePage(0)
			for _, l := range budget.Check(budgets, r, &r).Lines {
				if l.Budgeted < 0 || l.Over < 0 || l.String() == "" {
					t.Fatalf("line %+v", l)
				}
			}
			return
		}
		e := (*budget.Error)(nil)
		if !errors.As(err, &e) {
			t.Fatalf("error %v has no place", err)
		}
		lines := bytes.Split(data, []byte("\n"))
		if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > len(lines[e.Line-1])+1 {
			t.Fatalf("%v lies outside the file", e)
		}
	})
}

// TestAtLeast: where scripts may fetch more, sizes and counts are at least what
// they are: over budget stays over, and within is said so, in JUnit too.
func TestAtLeast(t *testing.T) {
	r := samplePage(0)
	r.MayFetchMore = true
	before := samplePage(0)
	got := budget.Check(parse(t, sample), r, &before)
	var lines []string
	for _, l := range got.Lines {
		lines = append(lines, l.String())
	}
	want := []string{
		"total is at least 216.1 kB, within its budget of 307.2 kB (300 KB in the file)",
		"script is at least 1.0 kB, at least 512 B over its budget of 512 B (0.5 KB in the file)",
		"third-party is at least 2 requests, at least 1 request over its budget of 1 request",
		"total has grown by 0 B, within its budget of 10.8 kB (5% in the file)",
		"image has grown by 0 B, within its budget of 51.2 kB (50 KB in the file)",
	}
	if diff := cmp.Diff(want, lines); diff != "" || !got.Over {
		t.Errorf("over %v, lines (-want +got):\n%s", got.Over, diff)
	}
	var junit bytes.Buffer
	if err := budget.WriteJUnit(&junit, []budget.Checked{{Report: r, Result: got}}); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"script is at least 1.0 kB, at least 512 B over", "<system-out>at least: 1 script was not executed (1.0 kB decoded): it may fetch more</system-out>"} {
		if !strings.Contains(junit.String(), text) {
			t.Errorf("JUnit lacks %q:\n%s", text, junit.String())
		}
	}
}
