// Package accuracy compares package inspect with Chromium: on the fixture
// pages of ../testdata/site, whose measured requests are kept as a golden
// file, and on real pages (build tag accuracy).
package accuracy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	update = flag.Bool("update", false, "measure the fixture pages again and rewrite the golden file")
	only   = flag.String("page", "", "measure this fixture page only")
)

const (
	siteDir    = "../testdata/site"
	goldenFile = siteDir + "/chromium.json"
)

// sampled are the pages that are measured without -update or -page: each
// takes Chromium two seconds.
var sampled = map[string]bool{"mixed.html": true, "picture.html": true, "script-kinds.html": true, "css-url.html": true}

// measured is what Chromium requests for one page with scripting on and off,
// as paths. Off is left out where it is the same as On.
type measured struct {
	On  []string `json:"on"`
	Off []string `json:"off,omitempty"`
	// Mobile is what a phone requests for the pages about its viewport.
	Mobile []string `json:"mobile,omitempty"`
}

// types are the media types of the fixture site, the same in nginx.
var types = map[string]string{
	".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".json": "application/json", ".png": "image/png", ".gif": "image/gif",
	".svg": "image/svg+xml", ".wav": "audio/wav", ".vtt": "text/vtt", ".ttf": "font/ttf",
	".txt": "text/plain", ".csv": "text/csv",
}

// fixtureSite serves the fixture pages.
func fixtureSite(t testing.TB) string {
	files := http.FileServer(http.Dir(siteDir))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if typ, ok := types[filepath.Ext(r.URL.Path)]; ok {
			w.Header().Set("Content-Type", typ)
		} else {
			w.Header()["Content-Type"] = nil // none at all
		}
		if strings.HasPrefix(filepath.Base(r.URL.Path), "nosniff") {
			w.Header().Set("X-Content-Type-Options", "nosniff")
		}
		w.Header().Set("Access-Control-Allow-Origin", "*")
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// fixturePages lists the pages of the fixture site.
func fixturePages(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob(siteDir + "/*.html")
	if err != nil || len(names) == 0 {
		t.Fatalf("no fixture pages in %s: %v", siteDir, err)
	}
	for i, n := range names {
		names[i] = filepath.Base(n)
	}
	return names
}

// TestChromiumAgreesWithGolden measures the fixture pages and compares with
// the golden file, which inspect's own tests compare with.
func TestChromiumAgreesWithGolden(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	browser := chromium(t)
	base := fixtureSite(t)
	got := map[string]measured{}
	if data, err := os.ReadFile(goldenFile); err == nil && *only != "" {
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range fixturePages(t) {
		if *only != "" && !strings.HasPrefix(name, *only) || *only == "" && !*update && !sampled[name] {
			continue
		}
		var m measured
		for mode, into := range map[string]*[]string{"on": &m.On, "off": &m.Off, "mobile": &m.Mobile} {
			if mode == "mobile" && !strings.HasPrefix(name, "viewport") {
				continue
			}
			l, err := openPage(browser, base+"/"+name, mode != "off", mode == "mobile")
			if err != nil {
				t.Fatalf("open %s: %v", name, err)
			}
			if l.timeout {
				t.Logf("%s (%s) had requests in flight until the end", name, mode)
			}
			var paths []string
			for _, u := range l.urls() {
				if strings.HasSuffix(u, "/favicon.ico") {
					continue // requested independently of the page load, if at all
				}
				if strings.HasPrefix(u, base) {
					paths = append(paths, strings.TrimPrefix(u, base))
				} else {
					paths = append(paths, u)
				}
			}
			*into = paths
		}
		if slices.Equal(m.On, m.Off) {
			m.Off = nil
		}
		got[name] = m
	}
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(goldenFile, data.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	var want map[string]measured
	raw, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatalf("read golden file: %v; run with -update", err)
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for name, m := range want {
		if _, ok := got[name]; !ok {
			got[name] = m
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Chromium differs from the golden file (-golden +measured); run with -update after reading it:\n%s", diff)
	}
}
