package watchdog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/cli"
	"libra/pkg/inspect"
	"libra/pkg/inspector"
	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/store"
	"libra/pkg/web"
)

// command is what a command of libra prints.
func command(t *testing.T, args ...string) string {
	var out, errs bytes.Buffer
	cli.Main(t.Context(), args, strings.NewReader(""), &out, &errs, func(string) string { return "" })
	return out.String() + errs.String()
}

// serveWeb runs libra-web on the bus of the rig.
func (a *busRig) serveWeb(allow []netip.Prefix) (url string) {
	a.t.Helper()
	history := store.NewReader(filepath.Join(a.t.TempDir(), "none.sqlite"))
	a.t.Cleanup(func() { history.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		a.t.Fatal(err)
	}
	s := web.New(web.Config{Allow: allow, Patience: time.Second}, a.bus.Log(), a.bus.Connect("web"), history, nil)
	a.run(func(ctx context.Context) error { return s.Run(ctx, l) })
	return "http://" + l.Addr().String()
}

func readAll(t *testing.T, url, accept string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The figures of one page over its budget, wherever a person reads them: in the list,
// in the headline and the budget line of its page, in the command line, in the alarm,
// in Slack and in a JUnit file.
func TestOneFigureReadsTheSameEverywhere(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hero.png" {
			w.Header().Set("Content-Type", "image/png")
			w.Write(make([]byte, 2_206_123))
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, `<!doctype html><title>Shop</title><img src=hero.png>`)
	}))
	t.Cleanup(site.Close)
	page, loopback := site.URL+"/", []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	const limits = `[{"resourceSizes": [{"resourceType": "total", "budget": 2154.2}]}]`

	a := newBusRig(t)
	a.sendHeartbeats("libra-recorder")
	a.startNotifier(func(c *notifier.Config) { c.BaseURL = "https://libra.example/" })
	a.startWatchdog()
	weigher := inspector.New(inspector.Config{Instance: "1", Workers: 2, Inspect: inspect.Config{Allow: loopback}}, a.bus.Connect("inspector"), a.bus.Log())
	a.run(func(ctx context.Context) error { return weigher.Run(ctx, nil) })
	server := a.serveWeb(loopback)
	bustest.Await(t, "libra-web", func() bool {
		up := readAll(t, server+"/up", "*/*") // not healthy: some components send no heartbeats here
		return up != "" && !strings.HasPrefix(up, "LOADING")
	})
	file := filepath.Join(t.TempDir(), "budget.json")
	if err := os.WriteFile(file, []byte(limits), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "submit", "--every", "1s", "--budget", file, "--server", server, page); !strings.Contains(got, "inspected every 1 s") {
		t.Fatal(got)
	}
	bustest.Await(t, "the alarm at Slack's", func() bool { return strings.Contains(strings.Join(a.slack.texts(), "\n"), "budget") })

	id := libra.PageID(page)
	var doc struct{ Report libra.Report }
	if err := json.Unmarshal([]byte(readAll(t, server+"/api/pages/"+id, "application/json")), &doc); err != nil {
		t.Fatal(err)
	}
	n := doc.Report.Totals.TransferBytes
	total := libra.FormatBytes(n)
	junit := filepath.Join(t.TempDir(), "result.xml")
	inspected := command(t, "inspect", "--allow", "127.0.0.1", "--budget", file, "--junit", junit, page)
	result, err := os.ReadFile(junit)
	if err != nil {
		t.Fatalf("%v; %s", err, inspected)
	}
	slack, err := json.Marshal(a.slack.bodies)
	if err != nil {
		t.Fatal(err)
	}
	report := command(t, "page", page, "--server", server)
	htmlPage := html.UnescapeString(readAll(t, server+"/pages/"+id, "text/html"))
	home := readAll(t, server+"/", "text/html")
	for where, text := range map[string][2]string{
		"headline of the page": {htmlPage, "<dt>Transfer size</dt><dd>" + total + "</dd>"},
		"list":                 {home, `size">` + total + "</td>"},
		"libra page":           {report, total + " transferred"},
		"libra inspect":        {inspected, total + " transferred"},
		"libra pages":          {command(t, "pages", "--server", server), total},
	} {
		if !strings.Contains(text[0], text[1]) {
			t.Errorf("the %s lacks %q:\n%s", where, text[1], text[0])
		}
	}
	size, bound := libra.FormatBytesBoth(n, 2_205_901)
	line := "total is " + size + ", " + libra.FormatBytes(n-2_205_901) + " over its budget of " + strings.TrimSuffix(bound, ")") + "; 2154.2 KB in the file)"
	if size == bound || !strings.HasPrefix(size, total) {
		t.Errorf("the figure reads as its limit, or unlike the headline: %q, %q, %q", size, bound, total)
	}
	lines := regexp.MustCompile(`total is [^"<]*? in the file\)`)
	for where, text := range map[string]string{
		"page": htmlPage, "libra page": report, "alarm": command(t, "alarms", "show", "page.budget."+id, "--server", server),
		"Slack": string(slack), "JUnit": string(result), "libra inspect": inspected,
	} {
		if got := lines.FindString(text); got != line {
			t.Errorf("%s: got %q, want %q in:\n%s", where, got, line, text)
		}
	}
}
