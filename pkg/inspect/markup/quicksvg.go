package markup

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// integrationPoint says whether n is an SVG element that holds HTML.
func integrationPoint(n *html.Node) bool {
	switch n.Data {
	case "desc", "foreignObject", "title":
		return n.Namespace == "svg"
	}
	return false
}

// foreign says whether the token belongs to SVG.
func (q *quick) foreign() bool {
	if len(q.open) == 0 || q.tok.kind == endOfFile {
		return false
	}
	n := q.top()
	return n.Namespace != "" && !(integrationPoint(n) && (q.tok.kind == startTag || q.tok.kind == textToken))
}

// inForeign works on a token inside of SVG; false: again, as HTML.
func (q *quick) inForeign() bool {
	switch q.tok.kind {
	case textToken:
		q.text(q.tok.data)
	case commentToken:
		q.comment(q.top())
	case startTag:
		if breaksOut(q.tok.tag) {
			return q.giveUp()
		}
		if name := svgNames[q.tok.data]; name != "" {
			q.tok.tag, q.tok.data = atom.Lookup([]byte(name)), name
		}
		q.foreignElement("svg")
	case endTag:
		for i := len(q.open) - 1; i >= 0; i-- {
			if strings.EqualFold(q.open[i].Data, q.tok.data) {
				q.truncate(i)
				return true
			}
			if i > 0 && q.open[i-1].Namespace == "" {
				break
			}
		}
		return q.step()
	}
	return true
}

// foreignElement adds the token's element, its attributes as SVG writes them.
func (q *quick) foreignElement(namespace string) {
	for i := range q.tok.attr {
		a := &q.tok.attr[i]
		if name := svgAttributes[a.Key]; name != "" {
			a.Key = name
		}
		if prefix, name, ok := strings.Cut(a.Key, ":"); ok && foreignAttributes[a.Key] {
			a.Namespace, a.Key = prefix, name
		}
	}
	q.element().Namespace = namespace
	if q.tok.selfClosing {
		q.pop()
	}
}

// breaksOut: HTML elements that end SVG, which html.Parse sees to. <font> does
// with some attributes.
func breaksOut(tag atom.Atom) bool {
	switch tag {
	case atom.B, atom.Big, atom.Blockquote, atom.Body, atom.Br, atom.Center, atom.Code, atom.Dd, atom.Div, atom.Dl, atom.Dt, atom.Em,
		atom.Embed, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Head, atom.Hr, atom.I, atom.Img, atom.Li, atom.Listing,
		atom.Menu, atom.Meta, atom.Nobr, atom.Ol, atom.P, atom.Pre, atom.Ruby, atom.S, atom.Small, atom.Span, atom.Strong, atom.Strike,
		atom.Sub, atom.Sup, atom.Table, atom.Tt, atom.U, atom.Ul, atom.Var, atom.Font:
		return true
	}
	return false
}

// byLower maps names in lower case to names.
func byLower(names string) map[string]string {
	m := map[string]string{}
	for _, n := range strings.Fields(names) {
		m[strings.ToLower(n)] = n
	}
	return m
}

// https://html.spec.whatwg.org/multipage/parsing.html#creating-and-inserting-nodes
// and #parsing-main-inforeign
var (
	svgNames = byLower(`altGlyph altGlyphDef altGlyphItem animateColor animateMotion animateTransform clipPath feBlend feColorMatrix
		feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight feFlood feFuncA feFuncB
		feFuncG feFuncR feGaussianBlur feImage feMerge feMergeNode feMorphology feOffset fePointLight feSpecularLighting feSpotLight
		feTile feTurbulence foreignObject glyphRef linearGradient radialGradient textPath`)
	svgAttributes = byLower(`attributeName attributeType baseFrequency baseProfile calcMode clipPathUnits diffuseConstant edgeMode
		filterUnits glyphRef gradientTransform gradientUnits kernelMatrix kernelUnitLength keyPoints keySplines keyTimes lengthAdjust
		limitingConeAngle markerHeight markerUnits markerWidth maskContentUnits maskUnits numOctaves pathLength patternContentUnits
		patternTransform patternUnits pointsAtX pointsAtY pointsAtZ preserveAlpha preserveAspectRatio primitiveUnits refX refY
		repeatCount repeatDur requiredExtensions requiredFeatures specularConstant specularExponent spreadMethod startOffset
		stdDeviation stitchTiles surfaceScale systemLanguage tableValues targetX targetY textLength viewBox viewTarget
		xChannelSelector yChannelSelector zoomAndPan`)
	foreignAttributes = map[string]bool{
		"xlink:actuate": true, "xlink:arcrole": true, "xlink:href": true, "xlink:role": true, "xlink:show": true, "xlink:title": true,
		"xlink:type": true, "xml:lang": true, "xml:space": true, "xmlns:xlink": true,
	}
)
