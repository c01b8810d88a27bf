package weburl_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"libra/pkg/weburl"
)

// parserFailures are the rows of testdata/urltestdata.json that do not pass, by
// their input, with the reason. None is of http or https.
var parserFailures = map[string]string{
	"non-special:opaque  ?hi":        opaqueSpaces,
	"non-special:opaque  #hi":        opaqueSpaces,
	"file://xn--/p":                  "the library converts the hosts of file: URLs itself, as the standard did until 2025; Libra requests none",
	"non-special:opaque \t\t  \t#hi": opaqueSpaces,
	"non-special:opaque \t\t  #hi":   opaqueSpaces,
	"non-special:opaque\t\t  \r #hi": opaqueSpaces,
}

const opaqueSpaces = "the library keeps the spaces at the end of an opaque path, as the standard did until 2025; Libra requests no URL that has one"

// hostFailures are those of testdata/toascii.json.
var hostFailures = map[string]string{
	"look\u180eout.net": unicode15,
	"look\u206bout.net": unicode15,
	"\u04c0.com":        unicode15,
	"\U0002f868.com":    unicode15,
	"\u2183.com":        unicode15,
	"\u1e9e.com":        unicode15,
	"\u1e9e.foo.com":    unicode15,
}

const unicode15 = "golang.org/x/net has the tables of Unicode 15 before Go 1.27, the standard those of the newest"

type row struct {
	Input   string
	Base    *string
	Failure bool
	Href    string
	Output  *string // of toascii.json
}

func rows(t *testing.T, file string) (list []row) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	for _, r := range raw {
		var c row
		if r[0] == '"' {
			continue // a comment
		}
		if err := json.Unmarshal(r, &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// hold compares the rows that fail with those that are explained, and prints how
// many pass.
func hold(t *testing.T, file string, explained map[string]string, test func(row) (got, want string)) {
	t.Helper()
	list, passed, seen := rows(t, file), 0, map[string]bool{}
	for _, c := range list {
		got, want := test(c)
		reason, listed := explained[c.Input]
		switch {
		case got == want:
			passed++
			if listed {
				t.Errorf("%s: %q passes: it is no failure any more", file, c.Input)
			}
		case !listed:
			t.Errorf("%s: %q gives %q, not %q, and nothing explains it", file, c.Input, got, want)
		default:
			t.Logf("%s: %q gives %q, not %q: %s", file, c.Input, got, want, reason)
		}
		seen[c.Input] = true
	}
	for input := range explained {
		if !seen[input] {
			t.Errorf("%s has no row %q", file, input)
		}
	}
	t.Logf("%s: %d of %d rows pass, %d failures are explained", file, passed, len(list), len(list)-passed)
}

func orFailure(s string, ok bool) string {
	if !ok {
		return "failure"
	}
	return s
}

// The standard's own test data, of every scheme.
func TestStandardData(t *testing.T) {
	hold(t, "urltestdata.json", parserFailures, func(c row) (got, want string) {
		base := ""
		if c.Base != nil {
			base = *c.Base
		}
		asURL(t, base, c)
		href, ok := weburl.Standard(base, c.Input)
		return orFailure(href, ok), orFailure(c.Href, !c.Failure)
	})
}

// asURL compares the row of an http or https URL with what the package returns.
func asURL(t *testing.T, base string, c row) {
	t.Helper()
	if !strings.HasPrefix(c.Href, "http://") && !strings.HasPrefix(c.Href, "https://") {
		return
	}
	b, err := weburl.Parse(base)
	if base != "" && err != nil && !weburl.HasScheme(base) {
		t.Errorf("base %q: %v", base, err)
	}
	want, _, _ := strings.Cut(c.Href, "#")
	scheme, rest, _ := strings.Cut(want, "//")
	if at := strings.IndexByte(rest, '@'); at >= 0 && !strings.Contains(rest[:at], "/") {
		want = scheme + "//" + rest[at+1:]
	}
	if u, err := b.Resolve(c.Input, nil); err != nil || u.String() != want {
		t.Errorf("%q on %q = %q, %v; want %q", c.Input, base, u, err, want)
	}
}

func TestStandardHosts(t *testing.T) {
	hold(t, "toascii.json", hostFailures, func(c row) (got, want string) {
		u, err := weburl.Parse("https://" + c.Input + "/x")
		want = "failure"
		if c.Output != nil {
			want = *c.Output
		}
		return orFailure(u.Host(), err == nil), want
	})
}
