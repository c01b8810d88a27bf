package property

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
)

var colourNames = syntax.Keywords(`aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet
	brown burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan
	darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred
	darksalmon darkseagreen darkslateblue darkslategray darkslategrey darkturquoise darkviolet deeppink deepskyblue
	dimgray dimgrey dodgerblue firebrick floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray
	green greenyellow grey honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen
	lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey lightpink
	lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime limegreen
	linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen mediumslateblue
	mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin navajowhite navy
	oldlace olive olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise palevioletred papayawhip
	peachpuff peru pink plum powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown
	seagreen seashell sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal
	thistle tomato turquoise violet wheat white whitesmoke yellow yellowgreen transparent currentcolor
	accentcolor accentcolortext activeborder activecaption activetext appworkspace background buttonborder
	buttonface buttonhighlight buttonshadow buttontext canvas canvastext captiontext field fieldtext graytext
	highlight highlighttext inactiveborder inactivecaption inactivecaptiontext infobackground infotext linktext mark
	marktext menu menutext scrollbar selecteditem selecteditemtext threeddarkshadow threedface threedhighlight
	threedlightshadow threedshadow visitedtext window windowframe windowtext -webkit-link -webkit-activelink
	-webkit-focus-ring-color`)

var colourFunctions = syntax.Keywords(`rgb rgba hsl hsla hwb lab lch oklab oklch color color-mix light-dark device-cmyk
	contrast-color alpha`)

func isColour(n syntax.Value) bool {
	switch n.Kind {
	case syntax.Ident:
		return colourNames[strings.ToLower(n.Text)]
	case syntax.Function:
		return colourFunctions[strings.ToLower(n.Text)]
	case syntax.Hash:
		for i := range len(n.Text) {
			if !syntax.IsHexDigit(n.Text[i]) {
				return false
			}
		}
		l := len(n.Text)
		return l == 3 || l == 4 || l == 6 || l == 8
	}
	return false
}

var mathFunctions = syntax.Keywords(`calc min max clamp round mod rem sin cos tan asin acos atan atan2 pow sqrt hypot log exp abs
	sign anchor anchor-size calc-size env progress sibling-index sibling-count random`)

func isMath(n syntax.Value) bool {
	return n.Kind == syntax.Function && mathFunctions[strings.ToLower(n.Text)]
}
