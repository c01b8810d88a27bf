package markup_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

func TestRefresh(t *testing.T) {
	const page = "http://a.test/dir/page"
	type result struct {
		URL    string
		Fetch  libra.Fetch
		Reason string
	}
	at := func(path string) result { return result{"http://a.test/dir/" + path, libra.Fetched, "refresh at once"} }
	late := func(path, when string) result {
		return result{"http://a.test/dir/" + path, libra.Conditional, "refresh after " + when}
	}
	for content, want := range map[string][]result{
		"0;url=x":                       {at("x")},
		" 0 ; URL = 'x\"y' z":           {at("x%22y")},
		"0;url=\"x":                     {at("x")},
		"0.9,x":                         {at("x")},
		".5 x":                          {at("x")},
		"00; url x":                     {at("url%20x")},
		"1;url=x":                       {late("x", "1 s")},
		"99999999999999999999999;url=x": {late("x", "1073741824 s")},
		"0url=x":                        nil,
		"0":                             nil,
		"0;":                            nil,
		"0;url=#a":                      nil, // itself
		"-1;url=x":                      nil,
		";url=x":                        nil,
		"0;url=javascript:x":            nil,
		"":                              nil,
	} {
		for name, in := range map[string]markup.Input{
			"meta":   {Body: []byte(`<meta http-equiv=ReFresh content='` + escapeQuotes(content) + `'>`)},
			"header": {Refresh: content},
		} {
			in.MediaType, in.URL = "text/html", page
			var got []result
			for _, r := range markup.Parse(in, desktop).References {
				if !r.TopLevel || r.Kind != markup.Frame && r.Fetch == libra.Fetched {
					t.Errorf("%s %q: top level %v, kind %v", name, content, r.TopLevel, r.Kind)
				}
				got = append(got, result{r.URL, r.Fetch, r.Reason})
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %q (-want +got):\n%s", name, content, diff)
			}
		}
	}
	sandboxed := desktop
	sandboxed.Sandboxed = true
	if refs := markup.Parse(markup.Input{Refresh: "0;url=x", URL: page}, sandboxed).References; len(refs) != 0 {
		t.Errorf("a sandboxed frame is refreshed: %v", refs)
	}
}

// escapeQuotes writes s for an attribute in single quotes.
func escapeQuotes(s string) string {
	out := ""
	for _, r := range s {
		if r == '\'' {
			out += "&#39;"
			continue
		}
		out += string(r)
	}
	return out
}
