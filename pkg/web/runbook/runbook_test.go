package runbook_test

import (
	"fmt"
	"html"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"libra/docs"
	"libra/pkg/libra"
	"libra/pkg/web/runbook"
)

const hostile = `# Other

## Runbook

Before. <b onclick="x">raw</b>

### one

<script>alert(1)</script>

Raw <img src=x onerror=alert(2)> in a line, ![image](javascript:alert(3)), [js](javascript:alert(4)),
[data](data:text/html,x), <javascript:alert(5)>, [out](https://evil.example/), [other](#other), [two](#two),
[ref]. <https://evil.example/auto> &lt;script&gt; ` + "`<script>alert(6)</script> URL`" + `

    <script>alert(7)</script>
    curl URL

` + "```\" onclick=x\ncurl URL\n```" + `

[ref]: javascript:alert(8) "title"

### two

Text.

## After

### three
`

// elements are the tags and attributes that the HTML of a runbook may have.
var elements = regexp.MustCompile(`^</?(p|ol|ul|li|em|strong|code|pre|a)>$|^<code class="command">$|^<a href="#(one|two)">$|^<ol start="[0-9]+">$|^<br>$`)

var tag = regexp.MustCompile(`<[^>]*>`)

// Raw HTML, and links that are not to a section, do not come through.
func TestHostileMarkdown(t *testing.T) {
	book := runbook.Read(hostile)
	intro, list := book.All()
	if len(list) != 2 || list[0].ID != "one" || list[1].ID != "two" || !book.Has("two") || book.Has("three") {
		t.Fatalf("sections: %+v", list)
	}
	all := string(intro + list[0].HTML + list[1].HTML)
	for _, found := range tag.FindAllString(all, -1) {
		if !elements.MatchString(found) {
			t.Errorf("%s is in\n%s", found, all)
		}
	}
	for _, want := range []string{"Before. raw", "[two]", `<a href="#two">two</a>`, "js", "&lt;script&gt;alert(6)&lt;/script&gt;", "&lt;script&gt;alert(7)&lt;/script&gt;"} {
		if want != "[two]" && !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
}

// A value in a command is one word of a shell and text in HTML, whatever it holds.
func TestValuesInCommands(t *testing.T) {
	book := runbook.Read("\n## Runbook\n\n### x\n\n`printf %s URL`\n")
	for _, value := range []string{
		"https://example.org/", "https://example.org/?a=1&b=2", "https://example.org/'; rm -rf / #", `https://example.org/$(id)"<script>alert(1)</script>`,
		"https://example.org/`id`", "https://example.org/a b", "https://bücher.example/*", `https://example.org/\`,
	} {
		s, ok := book.Of("x", runbook.Values{runbook.PageURL: value}, "")
		code := regexp.MustCompile(`<code class="command">(.*)</code>`).FindStringSubmatch(string(s.HTML))
		if !ok || code == nil || strings.Contains(code[1], "<") {
			t.Fatalf("%q gives %s", value, s.HTML)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", html.UnescapeString(code[1])).Output()
		if err != nil || string(out) != value {
			t.Errorf("sh prints %q for %q: %v", out, value, err)
		}
	}
	for _, unsafe := range []string{"https://example.org/\nreboot", "https://example.org/\x1b[201~", "--output=/etc/passwd", "https://example.org/\u202e", "\xff", ""} {
		if got := (runbook.Values{runbook.PageURL: unsafe}).Fill("curl URL"); got != "curl URL" {
			t.Errorf("%q is filled in: %q", unsafe, got)
		}
	}
	if got := (runbook.Values{"URL": "x", "ID": "y"}).Fill("LIBRA_NATS_URL REQUEST-ID -g ID URL,ID"); got != "LIBRA_NATS_URL REQUEST-ID -g y x,y" {
		t.Errorf("filled in as %q", got)
	}
}

func TestValuesOf(t *testing.T) {
	page := libra.Alarm{Scope: libra.ScopePage, Target: "https://shop.example:8443/a", Page: "abc"}
	for _, c := range []struct {
		alarm libra.Alarm
		want  runbook.Values
	}{
		{page, runbook.Values{"URL": "https://shop.example:8443/a", "HOST": "shop.example", "HOST:443": "shop.example:8443", "ID": "abc"}},
		{libra.Alarm{Scope: libra.ScopePage, Target: "https://[::1]/"}, runbook.Values{"URL": "https://[::1]/", "HOST": "::1", "HOST:443": "[::1]:443", "ID": libra.PageID("https://[::1]/")}},
		{libra.Alarm{Scope: libra.ScopeComponent, Target: "libra-inspector@2"}, runbook.Values{"UNIT": "libra-inspector@2"}},
		{libra.Alarm{Scope: libra.ScopeComponent, Target: "libra-x; reboot"}, runbook.Values{}},
		{libra.Alarm{Scope: libra.ScopeComponent, Target: "channel ops"}, runbook.Values{"CHANNEL": "ops"}},
		{libra.Alarm{Scope: libra.ScopeHost, Target: "memory"}, runbook.Values{}},
	} {
		if got := runbook.ValuesOf(c.alarm); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", c.alarm.Target, got, c.want)
		}
	}
}

// Of the real runbook nothing stays Markdown, every link to a section is one, and
// no command has a placeholder within quotes, where a quoted value would end them.
func TestOwnRunbook(t *testing.T) {
	book := runbook.Read(docs.Operations)
	intro, list := book.All()
	if len(list) < 20 {
		t.Fatalf("%d sections", len(list))
	}
	list = append(list, runbook.Section{ID: "intro", HTML: intro})
	code := regexp.MustCompile(`<code[^>]*>([^<]*)</code>`)
	inQuotes := regexp.MustCompile(`'[^']*\b(URL|HOST|ID|UNIT|CHANNEL)\b[^']*'`)
	for _, s := range list {
		text := html.UnescapeString(tag.ReplaceAllString(code.ReplaceAllString(string(s.HTML), ""), ""))
		if left := regexp.MustCompile("[`*#|].*").FindString(text); left != "" {
			t.Errorf("%s: markup of Markdown is shown: %q", s.ID, left)
		}
		for _, command := range code.FindAllStringSubmatch(string(s.HTML), -1) {
			if found := inQuotes.FindString(html.UnescapeString(command[1])); found != "" {
				t.Errorf("%s: %s is within quotes", s.ID, found)
			}
		}
	}
	for anchor, want := range map[string]string{
		"page-down":      "<code class=\"command\">libra submit --every off 'https://example.org/?a&amp;b'</code>",
		"page-missed":    "-g " + libra.PageID("https://example.org/?a&b"),
		"beat-inspector": "",
	} {
		a := libra.Alarm{Scope: libra.ScopePage, Target: "https://example.org/?a&b"}
		if anchor == "beat-inspector" {
			a, want = libra.Alarm{Scope: libra.ScopeComponent, Target: "libra-inspector@2"}, `<code class="command">systemctl status libra-inspector@2</code>`
		}
		s, ok := book.Of(anchor, runbook.ValuesOf(a), "/libra/runbook")
		if !ok || !strings.Contains(string(s.HTML), want) {
			t.Errorf("%s lacks %q:\n%s", anchor, want, s.HTML)
		}
	}
	if s, _ := book.Of("bus", nil, "/libra/runbook"); !strings.Contains(string(s.HTML), `<a href="/libra/runbook#disk">disk</a>`) {
		t.Errorf("the section of the bus:\n%s", s.HTML)
	}
}

// What a page costs.
func BenchmarkAll(b *testing.B) {
	book := runbook.Read(docs.Operations)
	b.ReportAllocs()
	for b.Loop() {
		book.All()
	}
}
