package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// scriptSite serves a page with files beside it.
func scriptSite(t *testing.T, page string, files map[string]string) string {
	t.Helper()
	return served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			_, _ = w.Write([]byte("<!doctype html>" + page))
			return
		}
		body, ok := files[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write([]byte(body))
	})
}

func TestScriptsAreCounted(t *testing.T) {
	base := scriptSite(t, `<script>var a = 1</script><script src=/a.js></script><script type=module>import "/b.js"</script><script src=/a.js?2></script>
		<script src=/missing.js></script><script src=/table.csv></script><script type=application/json>{"a": 1}</script><script></script>
		<iframe srcdoc="<script>b()</script>"></iframe><iframe sandbox srcdoc="<script>not()</script>"></iframe>`,
		map[string]string{"/a.js": "one();", "/b.js": "two();", "/table.csv": "no();"})
	page := strings.Replace(base, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		name, url string
		cfg       inspect.Config
		want      libra.Scripts
	}{
		{"own", base + "/", inspect.Config{}, libra.Scripts{Count: 6, Bytes: 9 + 6 + 14 + 6 + 6 + 3}},
		{"off", base + "/", inspect.Config{ScriptingOff: true}, libra.Scripts{}},
	} {
		r := newInspector(t, c.cfg).Inspect(context.Background(), c.url, nil)
		if r.ScriptsNotExecuted == nil || *r.ScriptsNotExecuted != c.want || r.MayFetchMore {
			t.Errorf("%s: counted %+v, want %+v; may fetch more: %v", c.name, r.ScriptsNotExecuted, c.want, r.MayFetchMore)
		}
	}
	other := scriptSite(t, `<script>var a = 1</script><script src=`+page+`/a.js></script>`, nil)
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), other+"/", nil)
	if want := (libra.Scripts{Count: 2, Bytes: 15, ThirdParty: 1, ThirdPartyBytes: 6}); r.ScriptsNotExecuted == nil || *r.ScriptsNotExecuted != want {
		t.Errorf("with a script of another host: counted %+v, want %+v", r.ScriptsNotExecuted, want)
	}
}

// TestMayFetchMore: a script that inserts images makes the figures a lower bound,
// and so does one that is not known.
func TestMayFetchMore(t *testing.T) {
	const inserts = `<script>for (var i = 0; i < 30; i++) { var e = document.createElement("img"); e.src = "i.png?" + i; document.body.append(e) }</script>`
	files := map[string]string{"/calm.js": "var a = 1;", "/fetch.js": "fetch('/x')", "/inserts.js": "p.innerHTML = f()", "/cut.js": "var a = 1;" + strings.Repeat(" ", 9<<20)}
	for _, c := range []struct {
		name, page string
		cfg        inspect.Config
		want       bool
	}{
		{"no script", "<p>x", inspect.Config{}, false},
		{"a script that inserts images", inserts, inspect.Config{}, true},
		{"without scripting", inserts, inspect.Config{ScriptingOff: true}, false},
		{"in a sandbox without scripts", `<iframe sandbox srcdoc='` + inserts + `'></iframe>`, inspect.Config{}, false},
		{"in a frame", `<iframe srcdoc='` + inserts + `'></iframe>`, inspect.Config{}, true},
		{"external", "<script src=/fetch.js></script>", inspect.Config{}, true},
		{"external and calm", "<script src=/calm.js></script>", inspect.Config{}, false},
		{"preloaded", "<link rel=preload as=script href=/fetch.js><script src=/fetch.js></script>", inspect.Config{}, true},
		{"not found", "<script src=/missing.js></script>", inspect.Config{}, false},
		{"no answer", "<script src=http://127.0.0.1:1/></script>", inspect.Config{}, true},
		{"cut", "<script src=/cut.js></script>", inspect.Config{}, true},
		{"markup kept in a template", `<template><img src=i.png></template><p id=p></p><script>p.append(t.content.cloneNode(true))</script>`, inspect.Config{}, true},
		{"markup kept in a script", `<script type=text/x-template><img src=i.png></script><p id=p></p><script src=/inserts.js></script>`, inspect.Config{}, true},
		{"a template of text", `<template><p>x</template><p id=p></p><script src=/inserts.js></script>`, inspect.Config{}, false},
		{"markup that nothing inserts", `<template><img src=i.png></template><script src=/calm.js></script>`, inspect.Config{}, false},
		{"calm handlers", `<body onload="ready()" onclick="fetch('/x')"><img onerror="this.alt='x'">`, inspect.Config{}, false},
		{"a handler", `<body onload="fetch('/x')">`, inspect.Config{}, true},
		{"a link to a script", `<a href="javascript:fetch('/x')">x</a>`, inspect.Config{}, false},
	} {
		i := newInspector(t, c.cfg)
		base := scriptSite(t, c.page, files)
		for range 2 { // the second time from what is known of the scripts
			if r := i.Inspect(context.Background(), base+"/", nil); r.MayFetchMore != c.want {
				t.Errorf("%s: may fetch more: %v, %s %q", c.name, r.MayFetchMore, r.Outcome, r.Reasons)
			}
		}
	}
}

// TestJudgedBytes: scripts are looked through up to a bound, and what is beyond
// it is not known.
func TestJudgedBytes(t *testing.T) {
	for n, want := range map[int]bool{2: false, 3: true} {
		page, files := "", map[string]string{}
		for i := range n {
			page += fmt.Sprintf("<script src=/%d.js></script>", i)
			files[fmt.Sprintf("/%d.js", i)] = fmt.Sprintf("var a = %d;%s", i, strings.Repeat("x();\n", 6<<20/5))
		}
		if r := newInspector(t, inspect.Config{}).Inspect(context.Background(), scriptSite(t, page, files)+"/", nil); r.MayFetchMore != want {
			t.Errorf("%d scripts of 6 MiB: may fetch more: %v, %s %q", n, r.MayFetchMore, r.Outcome, r.Reasons)
		}
	}
}

// TestNosniff: the first value of the header counts, in any case.
func TestNosniff(t *testing.T) {
	for value, blocked := range map[string]bool{
		"nosniff": true, "NoSniff": true, " nosniff , x": true, "x, nosniff": false, "nosniffed": false, "": false, `"nosniff"`: false,
	} {
		base := served(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				_, _ = w.Write([]byte(`<!doctype html><script src=/a.txt></script>`))
				return
			}
			w.Header().Set("X-Content-Type-Options", value)
			_, _ = w.Write([]byte("fetch('/x')"))
		})
		r := newInspector(t, inspect.Config{}).Inspect(context.Background(), base+"/", nil)
		if r.MayFetchMore == blocked || r.Totals.Requests != 2 || (r.ScriptsNotExecuted.Count == 0) != blocked {
			t.Errorf("X-Content-Type-Options: %s: counted %+v of %d requests", value, r.ScriptsNotExecuted, r.Totals.Requests)
		}
	}
}
