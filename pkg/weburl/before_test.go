package weburl_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"libra/pkg/weburl"
)

// changed lists what the URL Standard writes differently from the normal form
// before it, which was that of net/url: by intent, with the texts that are concerned
// and, where it shows, the forms.
var changed = []struct {
	intent     string
	text, form *regexp.Regexp
}{
	{"dot segments are resolved", nil, regexp.MustCompile(`(?i)^[^?]*//[^?]*/(\.|%2e)`)},
	{"a query has no byte that is not ASCII, and no space, quote or angle bracket", nil, regexp.MustCompile(`\?.*[^\x00-\x7f]|\?.*[ "'<>]`)},
	{"a host is ASCII: names by IDNA, none with a percent sign or a forbidden byte", nil, regexp.MustCompile("^https?://[^/]*[^-a-z0-9._:/\\[\\]!$&()*+,;=~_{}`'\"]|^https?://[^/\\[]*\\]")},
	{"an IPv4 address in an IPv6 one is written as its last two pieces", nil, regexp.MustCompile(`^https?://\[.*:[0-9]+\.`)},
	{"what is percent-encoded stays so, also beside a byte that has to be encoded", regexp.MustCompile(`^[^?#]*%[^?#]* `), nil},
	{"a backslash is a slash", regexp.MustCompile(`\\`), nil},
}

func intent(text, form string) string {
	for _, c := range changed {
		if c.text != nil && c.text.MatchString(text) || c.form != nil && c.form.MatchString(form) {
			return c.intent
		}
	}
	return ""
}

// testdata/before.json holds texts and the normal forms that the parser before this
// package, net/url's, gave them: the test data of the standard, and a grid of hosts,
// ports, paths and queries. A page's id is made of its form, so that all forms but
// those changed on purpose have to stay.
func TestNormalFormsStay(t *testing.T) {
	data, err := os.ReadFile("testdata/before.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][2]string
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	same, counts := 0, map[string]int{}
	for _, r := range rows {
		text, before := r[0], r[1]
		u, err := weburl.ParsePage(text)
		why := intent(text, before)
		switch {
		case err == nil && u.String() == before:
			same++
		case why == "":
			t.Errorf("%q was %q, now %q, %v", text, before, u, err)
		default:
			counts[why]++
		}
		// The form itself is that of old pages, watches and messages.
		if again, err := weburl.ParsePage(before); why == "" && (err != nil || again.String() != before) {
			t.Errorf("the form %q is now %q, %v", before, again, err)
		}
	}
	t.Logf("%d of %d normal forms are as before", same, len(rows))
	for why, n := range counts {
		t.Logf("%d differ: %s", n, why)
	}
	for _, c := range changed {
		if counts[c.intent] == 0 {
			t.Errorf("nothing differs for the reason %q", c.intent)
		}
	}
	if same < len(rows)/2 || strings.TrimSpace(rows[0][1]) == "" {
		t.Errorf("only %d of %d normal forms are as before", same, len(rows))
	}
}
