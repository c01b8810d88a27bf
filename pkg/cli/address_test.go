package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	domain "libra/pkg/libra" // libra is the function that runs the command line
)

// The commands that take a page take its address as people type it, and the URL of a
// page that an earlier version wrote differently.
func TestAddresses(t *testing.T) {
	const old = "https://example.org/a/../b"
	known := map[string]string{domain.PageID(old): old, domain.PageID("https://example.org/"): "https://example.org/"}
	var asked, body string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		asked, body = r.Method+" "+r.URL.Path, string(data)
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/pages/"), "/")
		if r.Method == http.MethodGet && known[id] == "" {
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprintf(w, `{"id":%q,"url":%q,"state":"reported","report":null}`, id, known[id])
	}))
	defer s.Close()
	for _, c := range []struct{ command, given, want string }{
		{"page", "example.org", "GET /api/pages/" + domain.PageID("https://example.org/")},
		{"page", "EXAMPLE.org/", "GET /api/pages/" + domain.PageID("https://example.org/")},
		{"page", old, "GET /api/pages/" + domain.PageID(old)},
		{"release", "example.org", "POST /api/pages/" + domain.PageID("https://example.org/") + "/release"},
		{"release", old, "POST /api/pages/" + domain.PageID(old) + "/release"},
		{"release", "https://example.org/c/../d", "POST /api/pages/" + domain.PageID("https://example.org/d") + "/release"},
	} {
		if code, _, errs := libra(t, c.command, c.given, "--server", s.URL); code != 0 || asked != c.want {
			t.Errorf("libra %s %s: code %d, asked %q, want %q: %s", c.command, c.given, code, asked, c.want, errs)
		}
	}
	for _, args := range [][]string{{"submit", "example.org"}, {"submit", "--every", "30s", "example.org"}} {
		if code, _, errs := libra(t, append(args, "--server", s.URL)...); code != 0 || asked != "POST /api/pages" || !strings.Contains(body, `"url":"example.org"`) {
			t.Errorf("%q: code %d, asked %q with %s: %s", args, code, asked, body, errs)
		}
	}
	if code, _, errs := libra(t, "submit", "ftp://example.org", "--server", s.URL); code != 2 || !strings.Contains(errs, "only http and https") {
		t.Errorf("ftp: code %d, %s", code, errs)
	}
}
