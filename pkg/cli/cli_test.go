package cli_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/cli"
	"libra/pkg/component"
)

var update = flag.Bool("update", false, "write the golden files")

// libra runs the command line.
func libra(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = cli.Main(t.Context(), args, strings.NewReader(""), &out, &errs, func(string) string { return "" })
	return code, out.String(), errs.String()
}

// server answers with the files of testdata, as the appliance's API would.
func server(t *testing.T) string {
	files := map[string]string{
		"/api/pages/e7dmo5dvmrcm2qwxt4nu":    "page.json",
		"/api/pages/e7dmo5dvmrcm2qwxt4nv":    "page-open.json",
		"/api/pages/cccccccccccccccccccc":    "page-stale.json",
		"/api/pages/ffffffffffffffffffff":    "page-scripts.json",
		"/api/pages/dddddddddddddddddddd":    "page-partial.json",
		"/api/pages/bbbbbbbbbbbbbbbbbbbb":    "page-error.json",
		"/api/pages/gggggggggggggggggggg":    "page-quarantined.json",
		"/api/pages":                         "pages.json",
		"/api/alarms":                        "alarms.json",
		"/api/alarms/bus":                    "alarm.json",
		"/api/history":                       "history.json",
		"/api/silences":                      "silences.json",
		"/api/hosts":                         "hosts.json",
		"/api/capacity":                      "capacity.json",
		"/api/lab":                           "lab.json",
		"/api/live":                          "live.json",
		"/api/live/06h2xkmdd16gkfqcxsdg4v5s": "look.json",
		"/api/status":                        "status.json",
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := files[r.URL.Path]
		if !ok {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"title":"No such page","status":404,"detail":"no page is known: POST it"}`)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		http.ServeFile(w, r, filepath.Join("testdata", name))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestTables(t *testing.T) {
	url := server(t)
	for _, c := range []struct {
		golden string
		code   int
		args   []string
	}{
		{"page.txt", 0, []string{"page", "e7dmo5dvmrcm2qwxt4nu"}},
		{"page-open.txt", 0, []string{"page", "e7dmo5dvmrcm2qwxt4nv"}},
		{"page-scripts.txt", 0, []string{"page", "ffffffffffffffffffff"}},
		{"page-stale.txt", 0, []string{"page", "cccccccccccccccccccc"}},
		{"page-partial.txt", 0, []string{"page", "dddddddddddddddddddd"}},
		{"page-error.txt", 0, []string{"page", "bbbbbbbbbbbbbbbbbbbb"}},
		{"page-quarantined.txt", 0, []string{"page", "gggggggggggggggggggg"}},
		{"pages.txt", 1, []string{"pages"}},
		{"alarms.txt", 1, []string{"alarms", "--all"}},
		{"alarm.txt", 1, []string{"alarms", "show", "bus"}},
		{"history.txt", 1, []string{"alarms", "history"}},
		{"silences.txt", 0, []string{"alarms", "silences"}},
		{"hosts.txt", 1, []string{"hosts"}},
		{"capacity.txt", 1, []string{"capacity"}},
		{"lab.txt", 0, []string{"lab"}},
		{"live.txt", 0, []string{"top"}},
		{"look.txt", 0, []string{"top", "06h2xkmdd16gkfqcxsdg4v5s"}},
		{"status.txt", 1, []string{"status"}},
	} {
		code, out, errs := libra(t, append(c.args, "--server", url)...)
		if code != c.code || errs != "" {
			t.Errorf("%v: code %d, stderr %q; want %d and nothing", c.args, code, errs, c.code)
		}
		out = withoutUnseen.ReplaceAllString(out, "")
		golden(t, c.golden, strings.ReplaceAll(out, url, "http://appliance"))
	}
}

// withoutUnseen matches the rows of components without a heartbeat, which follow
// the registry.
var withoutUnseen = regexp.MustCompile(`(?m)^libra-.* no heartbeat seen\n`)

// The status has a row for each required component, with a heartbeat or without.
func TestStatusShowsEveryRequiredComponent(t *testing.T) {
	_, out, _ := libra(t, "status", "--server", server(t))
	seen := []string{component.Inspector, component.Recorder} // in status.json
	for _, c := range component.Required() {
		row := regexp.MustCompile(`(?m)^` + c.Name + ` .*\n`).FindString(out)
		if row == "" || withoutUnseen.MatchString(row) == slices.Contains(seen, c.Name) {
			t.Errorf("%s has the row %q", c.Name, row)
		}
	}
}

// What an appliance does not know is not called healthy, empty or done: by text, and
// by exit code, with --json too.
func TestUnknown(t *testing.T) {
	const stale = `"stale":true,"unknown_since":"2026-11-21T09:00:00Z","reasons":["the bus is away"]`
	answers := map[string]string{
		"/api/alarms":     `{"alarms":[],"more":0,` + stale + `}`,
		"/api/silences":   `{"silences":[],` + stale + `}`,
		"/api/hosts":      `{"hosts":[],` + stale + `}`,
		"/api/capacity":   `{"stages":[],"warnings":[],` + stale + `}`,
		"/api/history":    `{"timeline":[],"next":"",` + stale + `}`,
		"/api/pages":      `{"pages":[],"next":"",` + stale + `}`,
		"/api/alarms/bus": `{"id":"bus","state":"cleared","summary":"The bus answers again","timeline":[],"state_unknown_since":"2026-11-21T09:00:00Z","silences":[],` + stale + `}`,
		"/api/status": `{"status":"UNKNOWN","unknown_since":"2026-11-21T09:00:00Z","version":"1.2.3","unknown":[{"what":"alarms","since":"2026-11-21T09:00:00Z"},{"what":"newest reports","since":"2026-11-21T09:00:00Z"}],
			"refused":[{"what":"new inspections","since":"2026-11-21T09:00:00Z"}],"degraded":[],"components":[],"counts":{},"alarms_unknown_since":"2026-11-21T09:00:00Z"}`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, answers[r.URL.Path]) }))
	t.Cleanup(s.Close)
	const since = `unknown since 2026-11-21 09:00:00 UTC \(.* ago\)`
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"alarms"}, `^` + since + `: entries may be missing or out of date\n- the bus is away\n\nno alarm is known: one may be raised\n$`},
		{[]string{"alarms", "silences"}, `^` + since + `(.|\n)*\nno silence is known\n$`},
		{[]string{"capacity"}, `^` + since + `(.|\n)*\n0 watches; how many fit is known after`},
		{[]string{"hosts"}, `^` + since + `(.|\n)*\nno host is known that`},
		{[]string{"alarms", "history"}, `^` + since + `(.|\n)*\nno event is known\n$`},
		{[]string{"alarms", "show", "bus"}, `^` + since + ` whether it is raised`},
		{[]string{"pages"}, `^` + since + `(.|\n)*\nno page is known\n$`},
		{[]string{"pages", "--watched"}, `^` + since + `(.|\n)*\nno page is known\n$`},
		{[]string{"status"}, `^UNKNOWN since 2026-11-21 09:00:00 UTC \(.* ago\) at .* 0 pages, requests unknown \(0 open requests known\), alarms unknown \(0 open alarms known\)\nunknown: alarms \(since .*\)\nunknown: newest reports \(since .*\)\nrefused: new inspections \(since `},
	} {
		code, out, errs := libra(t, append(c.args, "--server", s.URL)...)
		if code != 1 || errs != "" || !regexp.MustCompile(c.want).MatchString(out) {
			t.Errorf("%v: code %d, stderr %q, want 1 and %s:\n%s", c.args, code, errs, c.want, out)
		}
		if code, out, _ := libra(t, append(c.args, "--json", "--server", s.URL)...); code != 1 || !strings.Contains(out, "2026-11-21T09:00:00Z") {
			t.Errorf("%v --json: code %d, want 1: %s", c.args, code, out)
		}
	}
}

// A component without a heartbeat makes the appliance not healthy, whatever an
// appliance of an earlier version says of the whole.
func TestSilentComponentIsNotHealthy(t *testing.T) {
	components := func(up string) string {
		var list []string
		for _, c := range component.Required() {
			list = append(list, fmt.Sprintf(`{"component":%q,"instance":"1","up":%s,"pid":7}`, c.Name, up))
			up = "true"
		}
		return strings.Join(list, ",")
	}
	for _, c := range []struct {
		components string
		code       int
		want       string
	}{
		{components("true"), 0, "healthy"},
		{components("false"), 1, "unknown"},
		{"", 1, "unknown"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"status":"OK","version":"1","degraded":[],"components":[%s],"counts":{}}`, c.components)
		}))
		code, out, _ := libra(t, "status", "--server", s.URL)
		if code != c.code || !regexp.MustCompile(`(?m)^libra-bus .*`+c.want).MatchString(out) {
			t.Errorf("components [%s]: code %d, want %d and %s:\n%s", c.components, code, c.code, c.want, out)
		}
		s.Close()
	}
}

// --json passes the appliance's answer on, byte for byte.
func TestJSON(t *testing.T) {
	url := server(t)
	for file, args := range map[string][]string{
		"page.json":   {"page", "e7dmo5dvmrcm2qwxt4nu"},
		"pages.json":  {"pages"},
		"alarms.json": {"alarms"},
		"alarm.json":  {"alarms", "--json", "show", "bus"},
		"status.json": {"status"},
	} {
		want, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		if _, out, _ := libra(t, append(args, "--json", "--server", url)...); out != string(want) {
			t.Errorf("%v --json (-want +got):\n%s", args, cmp.Diff(string(want), out))
		}
	}
}

func TestNotFound(t *testing.T) {
	code, out, errs := libra(t, "page", "https://example.org/never", "--server", server(t))
	want := "libra: cannot show page \"https://example.org/never\": the appliance does not know it\n" +
		"hint: libra pages lists what it knows; libra submit URL adds a page\n"
	if code != 2 || out != "" || errs != want {
		t.Errorf("code %d, stdout %q, stderr:\n%s", code, out, cmp.Diff(want, errs))
	}
}

// What the appliance receives: who sends it, and what for.
func TestRequest(t *testing.T) {
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		body.ReadFrom(r.Body)
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("X-Libra-Client")+" "+r.Header.Get("Content-Type")+" "+body.String())
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, `{"id":"e7dmo5dvmrcm2qwxt4nu","url":"https://example.org/","state":"queued","note":"already asked for","pages":[]}`)
	}))
	defer s.Close()
	_, out, _ := libra(t, "submit", "https://example.org", "--client", "team-a", "--server", s.URL+"/")
	libra(t, "pages", "--client", "team-a", "--limit", "7", "--after", "x&y", "--server", s.URL)
	budget := filepath.Join(t.TempDir(), "budget.json")
	if err := os.WriteFile(budget, []byte(`[{"resourceSizes":[{"resourceType":"total","budget":300}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	libra(t, "submit", "--every", "30s", "--budget", budget, "https://example.org", "--client", "team-a", "--server", s.URL)
	libra(t, "alarms", "--client", "team-a", "ack", "beat.web", "--text", "on it", "--server", s.URL)
	libra(t, "alarms", "silence", "--alarm", "beat.*", "--from", "2026-11-22T22:00:00+01:00", "--for", "2h", "--why", "x", "--client", "team-a", "--server", s.URL)
	libra(t, "alarms", "unsilence", "s/1", "--client", "team-a", "--server", s.URL)
	libra(t, "alarms", "test", "ops room", "--client", "team-a", "--server", s.URL)
	libra(t, "hosts", "hold", "127.0.0.1:8000", "--open", "--why", "disks", "--client", "team-a", "--server", s.URL)
	libra(t, "hosts", "release", "[::1]:8000", "--client", "team-a", "--server", s.URL)
	want := []string{
		`POST /api/pages team-a application/json {"url":"https://example.org"}`,
		"GET /api/pages?after=x%26y&limit=7 team-a  ",
		`POST /api/pages team-a application/json {"budget":[{"resourceSizes":[{"resourceType":"total","budget":300}]}],"every":"30s","url":"https://example.org"}`,
		`POST /api/alarms/beat.web/acknowledge team-a application/json {"text":"on it"}`,
		`POST /api/silences team-a application/json {"for":"2h","from":"2026-11-22T21:00:00Z","match":{"alarm":"beat.*"},"why":"x"}`,
		"DELETE /api/silences/s%2F1 team-a  ",
		"POST /api/channels/ops%20room/test team-a  ",
		`POST /api/hosts/127.0.0.1:8000/hold team-a application/json {"state":"open","why":"disks"}`,
		"DELETE /api/hosts/%5B::1%5D:8000/hold team-a  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	wantOut := "e7dmo5dvmrcm2qwxt4nu queued\nalready asked for\nsee " + s.URL + "/pages/e7dmo5dvmrcm2qwxt4nu, or: libra page e7dmo5dvmrcm2qwxt4nu\n"
	if out != wantOut {
		t.Errorf("submit (-want +got):\n%s", cmp.Diff(wantOut, out))
	}
}

// A client that waits for a report gets the next one, not the last, and
// outlasts a restart of the appliance.
func TestWait(t *testing.T) {
	const page = `{"id":"e7dmo5dvmrcm2qwxt4nu","url":"https://example.org/","state":%q,"step":"","report":{"url":"https://example.org/","started":"2026-11-21T10:00:00Z","outcome":"complete","status":200},"latest":{"at":%q,"outcome":"complete","reasons":[]}}`
	answers := []string{ // "" is an appliance that is away
		fmt.Sprintf(page, "reported", "2026-11-21T10:00:00Z"), // before the request
		fmt.Sprintf(page, "queued", "2026-11-21T10:00:00Z"),
		"",
		fmt.Sprintf(page, "reported", "2026-11-21T10:00:00Z"), // just restarted
		fmt.Sprintf(page, "reported", "2026-11-21T10:05:00Z"),
	}
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, `{"id":"e7dmo5dvmrcm2qwxt4nu","url":"https://example.org/","state":"queued"}`)
			return
		}
		switch a := answers[min(int(n.Add(1)), len(answers))-1]; a {
		case "":
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprint(w, a)
		}
	}))
	defer s.Close()
	code, out, errs := libra(t, "submit", "--wait", "https://example.org/", "--server", s.URL)
	if code != 0 || errs != "" || !strings.Contains(out, "report of 2026-11-21 10:00:00 UTC") || int(n.Load()) != len(answers) {
		t.Errorf("code %d after %d answers, stdout %q, stderr %q", code, n.Load(), out, errs)
	}
}

// A client that waits gets the failure of a page this time, although
// the appliance still shows its last good report.
func TestWaitForFailure(t *testing.T) {
	for state, want := range map[string]string{
		"reported":    "libra: cannot inspect \"https://example.org/\": connection refused by 192.0.2.1:443\nhint: check that the server is up\n",
		"quarantined": "libra: cannot inspect \"https://example.org/\": the page ended its inspector 3 times and is in quarantine\nhint: release it with: libra release https://example.org/\n",
	} {
		reason := map[string]string{
			"reported":    `{"code":"connection-refused","text":"connection refused by 192.0.2.1:443","remedy":"check that the server is up"}`,
			"quarantined": `{"code":"quarantined","text":"the page ended its inspector 3 times and is in quarantine","remedy":"release it with: libra release https://example.org/"}`,
		}[state]
		asked := false
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			latest := `{"at":"2026-11-21T10:00:00Z","outcome":"complete","reasons":[]}`
			if asked {
				latest = `{"at":"2026-11-21T10:05:00Z","outcome":"error","reasons":["x"],"reason_details":[` + reason + `]}`
			}
			asked = asked || r.Method == http.MethodPost
			fmt.Fprintf(w, `{"id":"e7dmo5dvmrcm2qwxt4nu","url":"https://example.org/","state":%q,"stale":true,"report":{"url":"https://example.org/","outcome":"complete","status":200},"latest":%s}`, state, latest)
		}))
		code, out, errs := libra(t, "submit", "--wait", "https://example.org/", "--server", s.URL)
		s.Close()
		if code != 1 || out != "" || errs != want {
			t.Errorf("%s: code %d, stdout %q, stderr:\n%s", state, code, out, cmp.Diff(want, errs))
		}
	}
}

// A page in quarantine is released by id or by URL.
func TestRelease(t *testing.T) {
	status, body := http.StatusAccepted, `{"id":"e7dmo5dvmrcm2qwxt4nu","url":"https://example.org/","state":"queued"}`
	var asked string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.Path
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	defer s.Close()
	for given, path := range map[string]string{
		"e7dmo5dvmrcm2qwxt4nu": "/api/pages/e7dmo5dvmrcm2qwxt4nu/release",
		"https://Example.org":  "/api/pages/qgmndowebiidgzj2pdsi/release",
	} {
		code, out, errs := libra(t, "release", given, "--server", s.URL)
		if code != 0 || !strings.HasPrefix(out, "e7dmo5dvmrcm2qwxt4nu queued\n") || errs != "" || asked != "POST "+path {
			t.Errorf("release %s: code %d, stdout %q, stderr %q, asked %q", given, code, out, errs, asked)
		}
	}
	if _, out, _ := libra(t, "release", "--json", "e7dmo5dvmrcm2qwxt4nu", "--server", s.URL); out != body+"\n" {
		t.Errorf("--json: %q", out)
	}
	for n, want := range map[int]string{
		409: "libra: cannot release page \"https://example.org/\": it is not in quarantine\nhint: libra submit URL inspects it\n",
		404: "libra: cannot release page \"https://example.org/\": the appliance does not know it\nhint: libra pages lists what it knows\n",
		503: "libra: cannot release page \"https://example.org/\": the bus is away\nhint: try again in a few seconds\n",
	} {
		status, body = n, `{"title":"No","detail":"x","reason_details":[{"code":"not-stored","text":"the bus is away","remedy":"try again in a few seconds"}]}`
		if code, _, errs := libra(t, "release", "https://example.org/", "--server", s.URL); code != 2 || errs != want {
			t.Errorf("%d: code %d, stderr:\n%s", n, code, cmp.Diff(want, errs))
		}
	}
	if code, _, errs := libra(t, "release", "nonsense", "--server", s.URL); code != 2 || !strings.Contains(errs, `cannot release page "nonsense"`) {
		t.Errorf("nonsense: code %d, stderr %q", code, errs)
	}
}

func TestWaitTimeout(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"id":"e7dmo5dvmrcm2qwxt4nu","url":"https://example.org/","state":"queued","report":null}`)
	}))
	defer s.Close()
	code, out, errs := libra(t, "submit", "--wait", "--timeout", "50ms", "https://example.org/", "--server", s.URL)
	want := "libra: cannot wait for the report on \"https://example.org/\": no report after 50 ms\n" +
		"hint: the request is still queued: libra page e7dmo5dvmrcm2qwxt4nu shows the report when there is one; --timeout waits longer\n"
	if code != 2 || out != "" || errs != want {
		t.Errorf("code %d, stdout %q, stderr:\n%s", code, out, cmp.Diff(want, errs))
	}
}

// A context that has ended is Ctrl-C, whatever the command was doing.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	defer s.Close()
	for _, args := range [][]string{{"pages"}, {"submit", "--wait", "https://example.org/"}} {
		var out, errs bytes.Buffer
		code := cli.Main(ctx, append(args, "--server", s.URL), nil, &out, &errs, func(string) string { return "" })
		if code != 130 || out.Len()+errs.Len() > 0 {
			t.Errorf("%v: code %d, stdout %q, stderr %q", args, code, out.String(), errs.String())
		}
	}
}

// Refusals come with the appliance's own words.
func TestProblems(t *testing.T) {
	for _, c := range []struct {
		status     int
		body       string
		what, hint string
	}{
		{503, `{"title":"Not available","status":503,"detail":"x","reason_details":[{"code":"not-stored","text":"the page was not accepted, the bus cannot store it right now","remedy":"try again in a few seconds"}]}`, "the page was not accepted, the bus cannot store it right now", "try again in a few seconds"},
		{409, `{"title":"In quarantine","status":409,"detail":"x","reason_details":[{"code":"quarantined","text":"the page \"https://example.org/\" is not inspected, it is in quarantine","remedy":"release it with libra release abc"}]}`, `the page "https://example.org/" is not inspected, it is in quarantine`, "release it with libra release abc"},
		{503, `{"title":"Not available right now","status":503}`, "Not available right now", "try again in a few seconds; libra status shows what is degraded"},
		{400, `{"title":"Bad request","status":400,"detail":"it \u001b[31m is red"}`, `it \x1b[31m is red`, ""},
		{500, `<html>`, `http://appliance answered 500 Internal Server Error with "text/html; charset=utf-8", which is not Libra's`, "another program may use the port: name the appliance with --server or LIBRA_SERVER"},
		{200, `[1]`, `http://appliance answered 200 OK with "text/plain; charset=utf-8", which is not Libra's`, "another program may use the port: name the appliance with --server or LIBRA_SERVER"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(c.status)
			fmt.Fprint(w, c.body)
		}))
		code, _, errs := libra(t, "submit", "https://example.org/", "--server", s.URL)
		s.Close()
		want := "libra: cannot submit \"https://example.org/\": " + c.what + "\n"
		if c.hint != "" {
			want += "hint: " + c.hint + "\n"
		}
		if got := strings.ReplaceAll(errs, s.URL, "http://appliance"); code != 2 || got != want {
			t.Errorf("%d %s: code %d (-want +got):\n%s", c.status, c.body, code, cmp.Diff(want, got))
		}
	}
}

// An appliance below a path prefix of a reverse proxy is used as any other, with
// the links that people use.
func TestServerBelowPrefix(t *testing.T) {
	var paths []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		http.ServeFile(w, r, filepath.Join("testdata", "alarm.json"))
	}))
	defer s.Close()
	for _, server := range []string{s.URL + "/libra", s.URL + "/libra/"} {
		code, out, errs := libra(t, "alarms", "show", "bus", "--server", server)
		if code == 2 || !strings.Contains(out, s.URL+"/libra/runbook#bus") {
			t.Errorf("%s: code %d, %s\n%s", server, code, errs, out)
		}
	}
	for _, path := range paths {
		if path != "/libra/api/alarms/bus" {
			t.Errorf("asked for %s", path)
		}
	}
	for _, bad := range []string{s.URL + "/a//b", s.URL + "/?a=b", s.URL + "/../x"} {
		if code, _, errs := libra(t, "alarms", "--server", bad); code != 2 || !strings.Contains(errs, "it is not the URL of a server") {
			t.Errorf("%s: code %d, %q", bad, code, errs)
		}
	}
}

// The name of the client is that of --client, of LIBRA_CLIENT, or user@host.
func TestClientName(t *testing.T) {
	var name atomic.Pointer[string]
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := r.Header.Get("X-Libra-Client")
		name.Store(&given)
		w.Header().Set("Content-Type", "application/json")
		http.ServeFile(w, r, filepath.Join("testdata", "pages.json"))
	}))
	t.Cleanup(s.Close)
	for _, c := range []struct {
		flag, env, want string
		code            int
	}{
		{"team-a", "team-b", "team-a", 0},
		{"", "team-b", "team-b", 0},
		{"", "", "@", 0},
		{"", "tëam", "", 2},
	} {
		name.Store(new(string))
		var out, errs bytes.Buffer
		args := []string{"pages", "--server", s.URL}
		if c.flag != "" {
			args = append(args, "--client", c.flag)
		}
		getenv := func(key string) string { return map[string]string{"LIBRA_CLIENT": c.env}[key] }
		code := cli.Main(t.Context(), args, strings.NewReader(""), &out, &errs, getenv)
		if got := *name.Load(); (code == 2) != (c.code == 2) || !strings.Contains(got, c.want) || c.code != 0 && !strings.Contains(errs.String(), `cannot use LIBRA_CLIENT "tëam"`) {
			t.Errorf("--client %q, LIBRA_CLIENT %q: exit code %d, client %q: %s", c.flag, c.env, code, got, errs.String())
		}
	}
}

// The status names the cause of a component that cannot start: its settings.
func TestStatusNamesInvalidSettings(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/api/alarms" {
			fmt.Fprint(w, `{"alarms": [{"id": "bus", "state": "raised"}, {"id": "settings", "state": "raised",
				"summary": "libra-recorder cannot start: invalid settings", "evidence": "libra-recorder: invalid LIBRA_DATABASE"}]}`)
			return
		}
		fmt.Fprint(w, `{"status": "OK", "counts": {"open_alarms": 2}}`)
	}))
	t.Cleanup(s.Close)
	_, out, errs := libra(t, "status", "--server", s.URL)
	if want := "settings: libra-recorder cannot start: invalid settings: libra-recorder: invalid LIBRA_DATABASE\n"; !strings.HasSuffix(out, want) {
		t.Errorf("want %q, got\n%s%s", want, out, errs)
	}
}
