package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
)

// command is what a run of libra left.
type command struct {
	code        int
	out, errors string
}

func libraCommand(t *testing.T, server string, args ...string) (c command) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.CommandContext(t.Context(), "libra", args...)
	cmd.Env = append(os.Environ(), "GORACE="+promptExit, "LIBRA_SERVER="+server, "LIBRA_ALLOW=127.0.0.1")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Fatal(err)
		}
		c.code = exit.ExitCode()
	}
	c.out, c.errors = out.String(), errs.String()
	return c
}

// read is what the appliance answers to a GET.
func read(t *testing.T, url, accept string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// wants reports the parts that a text lacks, and those after a "!" that it has.
func wants(t *testing.T, where, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		part, banned := strings.CutPrefix(part, "!")
		if strings.Contains(text, part) == banned {
			t.Errorf("%s: has %q: %t, in\n%s", where, part, banned, text)
		}
	}
}

// brokenSite answers 200, 404, 500 and redirects without end.
func brokenSite(t *testing.T) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/404":
			http.NotFound(w, r)
		case "/500":
			http.Error(w, "down for the night", http.StatusInternalServerError)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/undecodable":
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "<p>plain text")
		default:
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!doctype html><title>Fine</title>")
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// A page that was not had is an error wherever it is seen: on the command line, with
// exit code 1, in JSON, on the pages and in the metrics. It has no score anywhere.
func TestErrorsAreErrorsEverywhere(t *testing.T) {
	server, site := appliance(t), brokenSite(t)
	fine := site + "/fine"
	if got := libraCommand(t, server, "submit", "--wait", fine); got.code != 0 {
		t.Fatalf("a page that is fine: %+v", got)
	}
	for name, c := range map[string]struct {
		url, why string
		code     libra.Code
		status   int
	}{
		"404":      {site + "/404", "HTTP 404 Not Found", libra.CodeHTTPStatus, 404},
		"500":      {site + "/500", "HTTP 500 Internal Server Error", libra.CodeHTTPStatus, 500},
		"loop":     {site + "/loop", `redirected more than 20 times, the last time to "/loop"`, libra.CodeTooManyRedirects, 302},
		"encoding": {site + "/undecodable", "body does not decode: decode gzip", libra.CodeBodyEncoding, 200},
		"refused":  {"http://127.0.0.1:2/", "connection refused by 127.0.0.1:2", libra.CodeConnectionRefused, 0},
		"DNS":      {"http://" + strings.Repeat("x", 64) + ".example/", "no such host", libra.CodeHostNotFound, 0},
	} {
		t.Run(name, func(t *testing.T) {
			said := "libra: cannot inspect "
			noScore := []string{"!Score ", "!Lighter", "!Excellent", "!complete", "!second visit"}
			one := libraCommand(t, server, "inspect", c.url)
			wants(t, "inspect", one.errors, said, c.why, "hint: ")
			wants(t, "inspect", one.out, noScore...)
			waited := libraCommand(t, server, "submit", "--wait", c.url)
			wants(t, "submit --wait", waited.errors, said, c.why)
			if one.code != 1 || waited.code != 1 {
				t.Errorf("exit codes: inspect %d, submit --wait %d; want 1", one.code, waited.code)
			}
			asJSON := libraCommand(t, server, "inspect", "--json", c.url)
			wants(t, "inspect --json", asJSON.out, `"outcome": "error"`, `"score": null`, `"code": "`+string(c.code)+`"`, fmt.Sprintf(`"status": %d`, c.status))

			// Watched, it is first in the list, before the page that is fine and newer.
			if got := libraCommand(t, server, "submit", "--every", "24h", c.url); got.code != 0 {
				t.Fatalf("%+v", got)
			}
			bustest.Await(t, "the watch's report", func() bool {
				return strings.Contains(read(t, server+"/api/pages/"+libra.PageID(c.url), "application/json"), `"state":"reported"`)
			})
			if got := libraCommand(t, server, "submit", "--wait", fine); got.code != 0 {
				t.Fatalf("%+v", got)
			}
			page := read(t, server+"/api/pages/"+libra.PageID(c.url), "application/json")
			wants(t, "JSON", page, `"latest":{"at":`, `"trouble":{"kind":"down"`, `"outcome":"error"`, `"code":"`+string(c.code)+`"`, `"score":null`, `!"outcome":"complete"`)
			var list struct {
				Pages     []struct{ ID string }
				InTrouble int `json:"in_trouble"`
			}
			if err := json.Unmarshal([]byte(read(t, server+"/api/pages", "application/json")), &list); err != nil || list.InTrouble != 1 || list.Pages[0].ID != libra.PageID(c.url) {
				t.Errorf("GET /api/pages: %+v, %v", list, err)
			}
			_, table, _ := strings.Cut(libraCommand(t, server, "pages").out, " URL\n")
			lines := strings.Split(table+"\n", "\n")
			wants(t, "pages", lines[0], "down", "error", "!complete")
			wants(t, "pages", lines[1], c.why[:12])
			html := read(t, server+"/pages/"+libra.PageID(c.url), "text/html")
			wants(t, "the page", html, "Down since <time", c.why[:10], `<span class="tag error">error</span>`, "!Score, of 100", "!Compared with the web", `!"tag complete"`)
			home := read(t, server+"/", "text/html")
			wants(t, "home", home, `<span class="tag error">down</span>`, "1 watched page is in trouble")
			if strings.Index(home, "/pages/"+libra.PageID(c.url)) > strings.Index(home, "/pages/"+libra.PageID(fine)) {
				t.Errorf("home: the page that is down is not first:\n%s", home)
			}
			wants(t, "metrics", read(t, server+"/metrics", "text/plain"), `libra_page_up{page="`+libra.PageID(c.url), "\"} 0\n", `!libra_page_score{page="`+libra.PageID(c.url))
			if got := libraCommand(t, server, "submit", "--every", "off", c.url); got.code != 0 {
				t.Fatalf("%+v", got)
			}
			wants(t, "the list once it is not watched", libraCommand(t, server, "pages").out, "error", "!in trouble")
		})
	}
}
