package css_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
)

// framework writes a style sheet of n rules in the manner of a component
// framework, or reads the one LIBRA_BENCH_CSS names.
func framework(tb testing.TB, n int) []byte {
	if name := os.Getenv("LIBRA_BENCH_CSS"); name != "" {
		text, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		return text
	}
	var b strings.Builder
	b.WriteString(":root{--bs-blue:#0d6efd;--bs-icon:url(icon.svg)}*,::after,::before{box-sizing:border-box}")
	for i := range n / 5 {
		fmt.Fprintf(&b, ".btn-%d{display:inline-block;padding:.375rem .75rem;font-size:1rem;border-radius:.25rem;background-color:#%06x}", i, i)
		fmt.Fprintf(&b, ".btn-%d:not(:disabled):hover,.btn-%d.active{color:#fff;background:url(hover%d.png)}", i, i, i%50)
		fmt.Fprintf(&b, "@media (min-width:768px){.col-%d{flex:0 0 auto;width:33.3333%%}}", i)
		fmt.Fprintf(&b, ".card-%d>.list-group a[href^=\"#\"]{border-top:inherit;background-image:url(\"img/%d.png\")}", i, i)
		fmt.Fprintf(&b, ".nav-%d .icon::before{content:\"\\f%03x\";font-family:Icons;mask:var(--bs-icon)}", i, i)
	}
	return []byte(b.String())
}

func BenchmarkParse(b *testing.B) {
	text := framework(b, 5000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		stylesheet.Parse(text, markup.Base{URL: "https://example.org/css/site.css"})
	}
}

func BenchmarkUses(b *testing.B) {
	s := stylesheet.Parse(framework(b, 5000), markup.Base{URL: "https://example.org/css/site.css"})
	var t strings.Builder
	t.WriteString("<!DOCTYPE html><body>")
	for i := range 1250 {
		fmt.Fprintf(&t, `<div class="card card-%d"><ul class="list-group"><li class="nav-%d active"><a href="#x" class="btn btn-%d icon">text %d</a></ul></div>`, i, i, i, i)
	}
	p := newPage(t.String(), s)
	b.ReportAllocs()
	for b.Loop() {
		p.Uses()
	}
}
