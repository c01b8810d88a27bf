package cascade

import (
	"sync"

	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
)

// UserAgentSheet is the part of the HTML standard's own style sheet that decides
// what is rendered, and with which fonts.
var UserAgentSheet = sync.OnceValue(func() *stylesheet.Sheet {
	return stylesheet.Parse([]byte(`
@namespace svg url(http://www.w3.org/2000/svg);
area, base, basefont, datalist, head, link, meta, noembed, noframes, param, rp, script, style, template, title,
[hidden], input[type=hidden], dialog:not([open]), [popover]:not(dialog[open]), audio:not([controls]), track,
video > source, audio > source { display: none }
embed[hidden] { display: inline }
[hidden=until-found] { display: block; content-visibility: hidden }
svg|title, svg|desc, svg|metadata, svg|style, svg|script { display: none }
address, article, aside, blockquote, body, center, dd, details, dialog, dir, div, dl, dt, fieldset, figcaption,
figure, footer, form, h1, h2, h3, h4, h5, h6, header, hgroup, hr, html, legend, listing, main, menu, nav, ol, p,
plaintext, pre, search, section, ul, xmp, optgroup, option { display: block }
li, summary { display: list-item }
table { display: table } tbody { display: table-row-group } thead { display: table-header-group }
tfoot { display: table-footer-group } col { display: table-column } colgroup { display: table-column-group }
 caption { display: table-caption } tr { display: table-row }
td, th { display: table-cell; } button, input, select, textarea, meter, progress, marquee { display: inline-block }
slot { display: contents }
b, strong { font-weight: bolder } h1, h2, h3, h4, h5, h6, th { font-weight: bold }
i, cite, em, var, dfn, address { font-style: italic }
code, kbd, samp, pre, tt, listing, xmp, plaintext { font-family: monospace }
input, textarea, select, button, meter, progress { font: menu; cursor: default }
textarea { font-family: monospace } ol { list-style-type: decimal } ul, menu, dir { list-style-type: disc }
`), markup.Base{})
})

// SkipsContents says whether parent renders no child such as e: replaced
// elements and closed details.
func SkipsContents(parent, e *selector.Element) bool {
	switch {
	case parent.Slots != nil && !e.IsShadowRoot:
		name, _ := e.Attr("slot")
		return !parent.Slots[name]
	case parent.Is("details"):
		return !parent.Has("open") && e != firstSummary(parent)
	case parent.Is("video", "audio", "iframe", "img", "input", "textarea", "meter", "progress"):
		return true
	case parent.Is("object"):
		return markup.ObjectLoads(parent.Node)
	}
	return false
}

func firstSummary(details *selector.Element) *selector.Element {
	for c := details.First; c != nil; c = c.Next {
		if c.Is("summary") {
			return c
		}
	}
	return nil
}
