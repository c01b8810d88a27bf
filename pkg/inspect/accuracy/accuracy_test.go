//go:build accuracy

package accuracy_test

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// corpus is a set of real pages in a folder.
type corpus struct {
	name string
	root string
	max  int // pages sampled
	// scripted means that the pages are measured with scripts only: they are here
	// for what their scripts do.
	scripted bool
	// skip leaves out paths that are not pages of their own.
	skip func(path string) bool
}

// corpora are the pages that are measured. LIBRA_ACCURACY_PAGES scales the
// sample; 1.0 is all of it.
func corpora(t *testing.T) []corpus {
	list := []corpus{
		{name: "sqlite3-doc", root: "/usr/share/doc/sqlite3", max: 80},
		{name: "git-doc", root: "/usr/share/doc/git-doc", max: 60},
		{name: "apache2-doc", root: "/usr/share/doc/apache2-doc/manual", max: 80},
		{name: "python3.11-doc", root: "/usr/share/doc/python3.11/html", max: 60},
		{name: "sb-admin-2", root: npmPackage(t, "startbootstrap-sb-admin-2", "4.1.4"), max: 40, skip: func(p string) bool { return strings.Contains(p, "/node_modules/") }},
		{name: "mkdocs-doc", root: "/usr/share/doc/mkdocs/html", max: 40, scripted: true},
		{name: "doxygen-doc", root: "/usr/share/doc/doxygen/html", max: 60, scripted: true},
		{name: "mathjax-doc", root: "/usr/share/doc/libjs-mathjax-doc/html", max: 40, scripted: true},
		{name: "uikit", root: npmPackage(t, "uikit", "3.25.29"), max: 60, scripted: true, skip: func(p string) bool { return !strings.HasPrefix(p, "/tests/") }},
		{name: "fixtures", root: siteDir, max: 200, skip: func(p string) bool { return strings.Contains(p, "/r/") }},
	}
	if s := os.Getenv("LIBRA_ACCURACY_PAGES"); s != "" {
		factor, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatalf("LIBRA_ACCURACY_PAGES %q is not a number such as 0.1", s)
		}
		for i := range list {
			list[i].max = max(int(float64(list[i].max)*factor), 1)
		}
	}
	only := os.Getenv("LIBRA_ACCURACY_CORPUS")
	return slices.DeleteFunc(list, func(c corpus) bool {
		if only != "" && c.name != only {
			return true
		}
		_, err := os.Stat(c.root)
		if err != nil {
			t.Logf("corpus %s is not installed (%v): scripts/accuracy installs it", c.name, err)
		}
		return err != nil
	})
}

// npmPackage unpacks a version of an npm package, once.
func npmPackage(t *testing.T, name, version string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir := filepath.Join(cache, "libra-accuracy", name+"-"+version)
	root := filepath.Join(dir, "package")
	if _, err := os.Stat(root); err == nil {
		return root
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	sh := exec.Command("sh", "-c", fmt.Sprintf("npm pack --silent %[1]s@%[2]s && tar xzf %[1]s-%[2]s.tgz", name, version))
	sh.Dir = dir
	if out, err := sh.CombinedOutput(); err != nil {
		t.Logf("npm pack %s: %v: %s", name, err, out)
	}
	return root
}

// pages is a deterministic sample of a corpus: evenly spread over the sorted
// paths.
func (c corpus) pages(t *testing.T) []string {
	var all []string
	err := filepath.WalkDir(c.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(p, c.root)
		if !d.IsDir() && (strings.HasSuffix(p, ".html") || strings.HasSuffix(p, ".html.en")) && (c.skip == nil || !c.skip(rel)) {
			all = append(all, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	if len(all) <= c.max {
		return all
	}
	out := make([]string, c.max)
	for i := range out {
		out[i] = all[i*len(all)/c.max]
	}
	return out
}

// figures compares one page, or sums up many.
type figures struct {
	page             string
	both, miss, more int
	libra, chromium  int64 // transferred bytes
	byteError        float64
	missing, extra   []string
	differing        []string // with the bytes of both
	mayFetch         bool     // the report's judgement of the scripts
}

func (f *figures) add(o figures) {
	f.both += o.both
	f.miss += o.miss
	f.more += o.more
	f.libra += o.libra
	f.chromium += o.chromium
}

func (f figures) precision() float64 { return ratio(f.both, f.both+f.more) }
func (f figures) recall() float64    { return ratio(f.both, f.both+f.miss) }

func ratio(a, b int) float64 {
	if b == 0 {
		return 1
	}
	return float64(a) / float64(b)
}

// compare compares Libra's report with Chromium's load. Icons are left out:
// Chromium requests them independently of the page load, if at all.
func compare(page string, r *libra.Report, l *load) figures {
	f := figures{page: page, mayFetch: r.MayFetchMore}
	icons := map[string]bool{}
	got := map[string]bool{}
	bytes := map[string]int64{}
	for _, a := range r.Assets {
		switch {
		case a.Fetch == libra.Fetched:
			got[a.URL] = true
			bytes[a.URL] += a.TransferBytes()
			f.libra += a.TransferBytes()
		case strings.HasPrefix(a.Reason, "icon"):
			icons[a.URL] = true
		}
	}
	for u, n := range l.requests {
		norm := normal(u)
		if strings.HasSuffix(u, "/favicon.ico") && !got[norm] || icons[norm] && !got[norm] {
			continue
		}
		f.chromium += n
		if got[norm] {
			f.both++
			delete(got, norm)
			if bytes[norm] != n {
				f.differing = append(f.differing, fmt.Sprintf("%s: %d instead of %d", relative(u), bytes[norm], n))
			}
			continue
		}
		f.miss++
		f.missing = append(f.missing, relative(u))
	}
	for u := range got {
		f.more++
		f.extra = append(f.extra, relative(u))
	}
	if f.chromium > 0 {
		f.byteError = math.Abs(float64(f.libra-f.chromium)) / float64(f.chromium)
	}
	slices.Sort(f.missing)
	slices.Sort(f.extra)
	slices.Sort(f.differing)
	return f
}

// normal writes a URL as Go does.
func normal(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.String()
}

// TestAccuracy prints the precision, recall and error in bytes of package inspect
// against Chromium, and fails below the required figures.
func TestAccuracy(t *testing.T) {
	browser := chromium(t)
	list := corpora(t)
	roots := make([]string, len(list))
	for i, c := range list {
		roots[i] = c.root
	}
	bases, _ := nginx(t, roots...)
	for _, scripting := range []bool{false, true} {
		fmt.Printf("\nscripting %s\n%-16s %6s %9s %9s %9s %10s %10s\n", onOff(scripting), "corpus", "pages", "requests", "precision", "recall", "bytes", "time")
		in := inspect.New(inspect.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, ScriptingOff: !scripting})
		total, pages, worst := figures{}, 0, []figures(nil)
		var real figures
		var judged []judgement
		for i, c := range list {
			if c.scripted && !scripting {
				continue
			}
			started := time.Now()
			results := measure(t, browser, in, bases[i], c.pages(t), scripting)
			sum := figures{}
			for _, f := range results {
				sum.add(f)
				f.page = c.name + f.page
				worst = append(worst, f)
			}
			total.add(sum)
			if c.name != "fixtures" {
				real.add(sum)
			}
			judged = append(judged, judge(c.name, results))
			pages += len(results)
			line(c.name, len(results), sum, time.Since(started))
		}
		line("all", pages, total, 0)
		printWorst(worst)
		in.Close()
		if scripting {
			checkJudgements(t, judged)
		} else {
			if p := total.precision(); p < 0.99 {
				t.Errorf("scripting off: precision %.4f, want at least 0.99", p)
			}
			if e := math.Abs(float64(real.libra-real.chromium)) / float64(max(real.chromium, 1)); e > 0.01 {
				t.Errorf("scripting off: total bytes are %.2f %% off, want within 1 %%", e*100)
			}
			if r := total.recall(); r < 0.99 {
				t.Errorf("scripting off: recall %.4f, want at least 0.99", r)
			}
		}
	}
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// measure opens every page in both; two tabs at a time.
func measure(t *testing.T, browser context.Context, in *inspect.Inspector, base string, pages []string, scripting bool) []figures {
	out := make([]figures, len(pages))
	var wg sync.WaitGroup
	slots := make(chan struct{}, 3)
	for i, p := range pages {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			u := base + (&url.URL{Path: p}).String()
			l, err := openPage(browser, u, scripting, false)
			if err != nil {
				t.Errorf("open %s: %v", u, err)
				return
			}
			out[i] = compare(p, in.Inspect(context.Background(), u, nil), l)
		}()
	}
	wg.Wait()
	return out
}

func line(name string, pages int, f figures, d time.Duration) {
	off := 0.0
	if f.chromium > 0 {
		off = 100 * float64(f.libra-f.chromium) / float64(f.chromium)
	}
	fmt.Printf("%-16s %6d %9d %9.4f %9.4f %+9.3f%% %10s\n", name, pages, f.both+f.miss, f.precision(), f.recall(), off, d.Round(time.Second))
}

// printWorst shows the ten pages that differ most, first by URLs and then by
// bytes.
func printWorst(list []figures) {
	slices.SortStableFunc(list, func(a, b figures) int {
		if d := (b.miss + b.more) - (a.miss + a.more); d != 0 {
			return d
		}
		return int(1e6 * (b.byteError - a.byteError))
	})
	fmt.Println("worst ten pages (- Chromium only, + Libra only, = other bytes)")
	for _, f := range list[:min(10, len(list))] {
		fmt.Printf("  %s: %d missed, %d too many, bytes %d instead of %d\n", f.page, f.miss, f.more, f.libra, f.chromium)
		for _, u := range f.missing[:min(4, len(f.missing))] {
			fmt.Println("    -", u)
		}
		for _, u := range f.extra[:min(4, len(f.extra))] {
			fmt.Println("    +", u)
		}
		for _, u := range f.differing[:min(4, len(f.differing))] {
			fmt.Println("    =", u)
		}
	}
}

// relative strips scheme and host.
func relative(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		i := strings.Index(raw, "://")
		return raw[i+3+strings.IndexByte(raw[i+3:], '/'):]
	}
	u.Scheme, u.Host = "", ""
	return u.String()
}
