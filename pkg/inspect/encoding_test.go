package inspect_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"golang.org/x/text/encoding/htmlindex"

	"libra/pkg/inspect"
)

// encoded is a file of a site, as it is sent.
type encoded struct {
	contentType, encoding, text string
}

func (e encoded) bytes(t *testing.T) string {
	t.Helper()
	enc, err := htmlindex.Get(e.encoding)
	if err != nil {
		t.Fatal(err)
	}
	s, err := enc.NewEncoder().String(e.text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// foreign is requested as its UTF-8 in paths, and as its bytes in the encoding of the
// document or style sheet in queries.
const foreign = `/ж.png?q=ж`

// The encoding of a document and of a style sheet is what Chromium takes it for; the
// requested addresses show it. want is what Chromium 156 requests.
func TestEncodings(t *testing.T) {
	const (
		img      = `<img src="` + foreign + `">`
		html     = "text/html"
		cyrillic = "windows-1251"
		asIs     = "/%D0%B6.png?q=%D0%B6" // read as UTF-8
		right    = "/%D0%B6.png?q=%E6"    // read as windows-1251
		western  = "/%C3%A6.png?q=%E6"    // windows-1251 read as windows-1252
		mojibake = "/%C3%90%C2%B6.png?q=%D0%B6"
		broken   = "/%EF%BF%BD.png?q=%EF%BF%BD" // windows-1251 read as UTF-8
		meta     = "<meta charset=windows-1251>"
		css      = `.a{background:url("` + foreign + `")}`
		a        = "<div class=a>x</div>"
		declared = `<?xml version="1.0" encoding="windows-1251"?>`
		xhtml    = `<html xmlns="http://www.w3.org/1999/xhtml"><body><img src="` + foreign + `"/></body></html>`
	)
	long := strings.Repeat("x", 3000)
	for name, tt := range map[string]struct {
		page  encoded
		files map[string]encoded
		want  string
	}{
		"late in the head":             {page: encoded{html, cyrillic, "<head><style>" + long + "</style>" + meta + img}, want: right},
		"late without a head":          {page: encoded{html, cyrillic, "<style>" + long + "</style>" + meta + img}, want: right},
		"late after a comment":         {page: encoded{html, cyrillic, "<!--" + long + "-->" + meta + img}, want: right},
		"late after a script":          {page: encoded{html, cyrillic, "<script>/*" + long + "<meta charset=utf-8>*/</script>" + meta + img}, want: right},
		"late in the body":             {page: encoded{html, cyrillic, "<body><style>" + long + "</style>" + meta + img}, want: western},
		"late after a paragraph":       {page: encoded{html, cyrillic, "<p>" + long + "</p>" + meta + img}, want: western},
		"early in the body":            {page: encoded{html, cyrillic, "<p>x</p>" + meta + img}, want: right},
		"in a title":                   {page: encoded{html, cyrillic, "<title><meta charset=utf-8></title>" + meta + img}, want: right},
		"in a comment":                 {page: encoded{html, cyrillic, "<!-- <meta charset=utf-8> -->" + meta + img}, want: right},
		"in noscript":                  {page: encoded{html, cyrillic, "<noscript><meta charset=utf-8></noscript>" + meta + img}, want: broken},
		"utf-16 in a meta":             {page: encoded{html, "utf-8", "<meta charset=utf-16>" + img}, want: asIs},
		"x-user-defined in a meta":     {page: encoded{html, "utf-8", "<meta charset=x-user-defined>" + img}, want: mojibake},
		"unknown, then known":          {page: encoded{html, cyrillic, "<meta charset=nonsense>" + meta + img}, want: right},
		"pragma":                       {page: encoded{html, cyrillic, `<meta http-equiv=Content-Type content="text/html; charset = 'windows-1251'">` + img}, want: right},
		"content without pragma":       {page: encoded{html, cyrillic, `<meta content="text/html; charset=windows-1251">` + img}, want: western},
		"server before meta":           {page: encoded{html + ";charset=utf-8", "utf-8", meta + img}, want: asIs},
		"server's is unknown":          {page: encoded{html + ";charset=nonsense", cyrillic, meta + img}, want: right},
		"mark before server":           {page: encoded{html + ";charset=windows-1251", "utf-8", "\ufeff" + meta + img}, want: asIs},
		"nothing declared, UTF-8":      {page: encoded{html, "utf-8", img}, want: mojibake},
		"nothing declared":             {page: encoded{html, cyrillic, img}, want: western},
		"frame without a declaration":  {page: encoded{html, cyrillic, meta + "<iframe src=f>"}, files: map[string]encoded{"/f": {html, cyrillic, img}}, want: right},
		"object without a declaration": {page: encoded{html, cyrillic, meta + "<object data=f type=text/html></object>"}, files: map[string]encoded{"/f": {html, cyrillic, img}}, want: right},
		"frame with a declaration":     {page: encoded{html, "utf-8", "<meta charset=utf-8><iframe src=f>"}, files: map[string]encoded{"/f": {html, cyrillic, meta + img}}, want: right},
		"srcdoc":                       {page: encoded{html, cyrillic, meta + `<iframe srcdoc="<img src='` + foreign + `'>"></iframe>`}, want: asIs},

		"a fragment behind the query":  {page: encoded{html, cyrillic, meta + `<img src="` + foreign + `#ж">`}, want: right},
		"a fragment in UTF-8":          {page: encoded{html + ";charset=utf-8", "utf-8", `<img src="` + foreign + `#ж">`}, want: asIs},
		"nothing declared, of control": {page: encoded{html, "utf-8", `<img src="/с.png?q=с">`}, want: "/%C3%91%C2%81.png?q=%D1%81"},
		"charset empty, with a pragma": {page: encoded{html, cyrillic, `<meta charset="" http-equiv=Content-Type content="text/html; charset=windows-1251">` + img}, want: western},
		"XML declaration":              {page: encoded{html, cyrillic, declared + img}, want: right},
		"XML declaration and meta":     {page: encoded{html, "utf-8", declared + "<meta charset=utf-8>" + img}, want: asIs},
		"XML declaration and server":   {page: encoded{html + ";charset=utf-8", "utf-8", declared + img}, want: asIs},
		"XML declaration of utf-16":    {page: encoded{html, "utf-8", "<?xml encoding='utf-16'?>" + img}, want: asIs},
		"XHTML":                        {page: encoded{"application/xhtml+xml", cyrillic, declared + xhtml}, want: right},
		"XHTML of the server":          {page: encoded{"application/xhtml+xml;charset=windows-1251", cyrillic, "<?xml version='1.0' encoding='koi8-r'?>" + xhtml}, want: right},
		"XHTML, nothing declared":      {page: encoded{"application/xhtml+xml", "utf-8", "<?xml version='1.0'?>" + xhtml}, want: asIs},

		"not in the encoding":          {page: encoded{html + ";charset=windows-1252", "utf-8", `<img src="/x.png?q=&#1078;&amp;r=&#233;&#128512;">`}, want: "/x.png?q=%26%231078%3B&r=%E9%26%23128512%3B"},
		"not in Shift_JIS":             {page: encoded{html + ";charset=shift_jis", "utf-8", `<img src="/x.png?q=&#1078;&amp;r=&#233;&#12354;">`}, want: "/x.png?q=%84w&r=%26%23233%3B%82%A0"},
		"not in ISO-2022-JP":           {page: encoded{html + ";charset=iso-2022-jp", "utf-8", `<img src="/x.png?q=&#1078;&amp;r=&#233;&#12354;a">`}, want: "/x.png?q=%1B$B%27X%1B(B&r=%26%23233%3B%1B$B$%22%1B(Ba"},
		"not in GBK":                   {page: encoded{html + ";charset=gbk", "utf-8", `<img src="/x.png?q=&#8364;&#128512;&#233;">`}, want: "/x.png?q=%80%26%23128512%3B%A8%A6"},
		"query of a style element":     {page: encoded{html, cyrillic, meta + "<style>" + css + "</style>" + a}, want: right},
		"query of a style attribute":   {page: encoded{html, cyrillic, meta + "<p style='background:url(\"" + foreign + "\")'>x"}, want: asIs},
		"sheet: that of the document":  {page: encoded{html, cyrillic, meta + "<link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", cyrillic, css}}, want: right},
		"sheet: charset of the link":   {page: encoded{html, "utf-8", "<meta charset=utf-8><link rel=stylesheet charset=windows-1251 href=s>" + a}, files: map[string]encoded{"/s": {"text/css", cyrillic, css}}, want: right},
		"sheet: charset is unknown":    {page: encoded{html, cyrillic, meta + "<link rel=stylesheet charset=nonsense href=s>" + a}, files: map[string]encoded{"/s": {"text/css", cyrillic, css}}, want: right},
		"sheet: @charset before link":  {page: encoded{html, "utf-8", "<meta charset=utf-8><link rel=stylesheet charset=koi8-r href=s>" + a}, files: map[string]encoded{"/s": {"text/css", cyrillic, `@charset "windows-1251";` + css}}, want: right},
		"sheet: server before @":       {page: encoded{html, cyrillic, meta + "<link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css;charset=utf-8", "utf-8", `@charset "windows-1251";` + css}}, want: asIs},
		"sheet: server's is unknown":   {page: encoded{html, cyrillic, meta + "<link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css;charset=nonsense", cyrillic, css}}, want: right},
		"sheet: mark":                  {page: encoded{html, cyrillic, meta + "<link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", "utf-8", "\ufeff" + css}}, want: asIs},
		"sheet: @charset utf-8":        {page: encoded{html, cyrillic, meta + "<link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", "utf-8", `@charset "utf-8";` + css}}, want: asIs},
		"sheet: @charset utf-16":       {page: encoded{html, cyrillic, meta + "<link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", "utf-8", `@charset "utf-16";` + css}}, want: asIs},
		"sheet: @charset, one quote":   {page: encoded{html, "utf-8", "<meta charset=utf-8><link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", cyrillic, `@charset 'windows-1251';` + css}}, want: broken},
		"import: that of the sheet":    {page: encoded{html, "utf-8", "<meta charset=utf-8><link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", "utf-8", `@charset "windows-1251";@import "i";`}, "/i": {"text/css", cyrillic, css}}, want: right},
		"import: of the server's":      {page: encoded{html, "utf-8", "<meta charset=utf-8><link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css;charset=windows-1251", "utf-8", `@import "i";`}, "/i": {"text/css", cyrillic, css}}, want: right},
		"import of a style element":    {page: encoded{html, cyrillic, meta + "<style>@import 'i';</style>" + a}, files: map[string]encoded{"/i": {"text/css", cyrillic, css}}, want: right},
		"sheet of a page in UTF-8":     {page: encoded{html, "utf-8", "<meta charset=utf-8><link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", "utf-8", css}}, want: asIs},
		"sheet of an undeclared page":  {page: encoded{html, "utf-8", "<link rel=stylesheet href=s>" + a}, files: map[string]encoded{"/s": {"text/css", "utf-8", css}}, want: mojibake},
		"page in UTF-16 with a server": {page: encoded{html + ";charset=utf-16", "utf-16le", img}, want: asIs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var got []string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				file, ok := tt.files[r.URL.Path]
				switch {
				case r.URL.Path == "/":
					file = tt.page
					if !strings.HasPrefix(file.text, "<?xml") {
						file.text = "<!doctype html>" + file.text
					}
					if body, found := strings.CutPrefix(tt.page.text, "\ufeff"); found {
						file.text = "\ufeff<!doctype html>" + body
					}
				case !ok:
					mu.Lock()
					got = append(got, r.URL.RequestURI())
					mu.Unlock()
					w.Header().Set("Content-Type", "image/png")
					return
				}
				w.Header().Set("Content-Type", file.contentType)
				io.WriteString(w, file.bytes(t))
			}))
			defer srv.Close()
			newInspector(t, inspect.Config{}).Inspect(context.Background(), srv.URL, nil)
			if len(got) != 1 || got[0] != tt.want {
				t.Errorf("requested %q, want %q", got, tt.want)
			}
		})
	}
}
