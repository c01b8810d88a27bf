package layout

import (
	"strconv"
	"strings"
	"sync"

	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
)

// userAgentSheet is the part of the browser's own sheet that sizes boxes.
var userAgentSheet = sync.OnceValue(func() *stylesheet.Sheet {
	return stylesheet.Parse([]byte(`
body { margin: 8px } p, dl, ul, ol, menu, dir, pre, listing, xmp, plaintext { margin: 1em 0 }
blockquote, figure { margin: 1em 40px } dd { margin-left: 40px } ul, ol, menu, dir { padding-left: 40px }
:is(ul, ol, menu, dir) :is(ul, ol, menu, dir) { margin: 0 }
h1 { font-size: 2em; margin: .67em 0 } h2 { font-size: 1.5em; margin: .83em 0 } h3 { font-size: 1.17em; margin: 1em 0 }
h4 { margin: 1.33em 0 } h5 { font-size: .83em; margin: 1.67em 0 } h6 { font-size: .67em; margin: 2.33em 0 }
hr { margin: .5em 0; border: 1px solid } fieldset { margin: 0 2px; padding: .35em .75em .625em; border: 2px solid }
pre, listing, xmp, plaintext { white-space: pre; font-size: 13px } small { font-size: 13.3px } nobr { white-space: nowrap }
iframe { border: 2px solid } table { border-spacing: 2px; box-sizing: border-box } td, th { padding: 1px }
button, input, select, textarea { font-size: 13.3px; box-sizing: border-box } button { padding: 1px 6px; border: 2px solid }
input { width: 153px; height: 21px } input:is([type=checkbox], [type=radio]) { width: 13px; height: 13px; margin: 3px }
input[type=image] { width: auto; height: auto } select { height: 19px } textarea { width: 180px; height: 36px }
iframe, video, canvas, object, embed { width: 300px; height: 150px } audio { width: 300px; height: 54px }
meter { width: 80px; height: 16px } progress { width: 160px; height: 16px }
dialog { position: absolute; padding: 1em; border: 3px solid }
center > table { margin-left: auto; margin-right: auto }
`), markup.Base{})
})

// presentationalHints are the declarations that an element's attributes stand
// for.
func presentationalHints(e *selector.Element) string {
	if e.Namespace != "html" && e.Tag != "svg" {
		return ""
	}
	var b strings.Builder
	sized := e.Tag == "svg" || e.Is("img", "iframe", "video", "canvas", "object", "embed", "table", "td", "th", "hr", "col") || e.InputType() == "image"
	for _, a := range e.Node.Attr {
		switch key := strings.ToLower(a.Key); {
		case sized && (key == "width" || key == "height"):
			if v, ok := parseDimension(a.Val); ok {
				b.WriteString(key + ":" + v + ";")
			}
		case key == "align" && e.Is("img", "table", "iframe", "object") && (strings.EqualFold(a.Val, "left") || strings.EqualFold(a.Val, "right")):
			b.WriteString("float:" + a.Val + ";")
		case key == "cellspacing" && e.Is("table"):
			if v, ok := parseDimension(a.Val); ok {
				b.WriteString("border-spacing:" + v + ";")
			}
		case key == "nowrap" && e.Is("td", "th"):
			b.WriteString("white-space:nowrap;")
		}
	}
	return b.String()
}

// parseDimension reads a dimension value of HTML: "300", "300px" or "50%".
func parseDimension(s string) (string, bool) {
	s = strings.TrimSpace(s)
	rest := strings.TrimLeft(s, "0123456789.")
	number := strings.TrimSuffix(s, rest)
	if _, err := strconv.ParseFloat(number, 64); err != nil {
		return "", false
	}
	if strings.HasPrefix(rest, "%") {
		return number + "%", true
	}
	return number + "px", true
}
