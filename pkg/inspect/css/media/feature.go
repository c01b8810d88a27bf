package media

import (
	"slices"
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// numericFeature gives the viewport's value of a range feature: CSS pixels,
// ratios, dots per pixel, bits.
func numericFeature(name string, v Viewport) (float64, bool) {
	switch name {
	case "width", "device-width":
		return float64(v.Width), true
	case "height", "device-height":
		return float64(v.Height), true
	case "aspect-ratio", "device-aspect-ratio":
		return float64(v.Width) / float64(max(v.Height, 1)), true
	case "resolution", "device-pixel-ratio":
		return v.Ratio(), true
	case "color":
		return 8, true
	case "color-index", "monochrome", "grid":
		return 0, true
	case "horizontal-viewport-segments", "vertical-viewport-segments":
		return 1, true
	}
	return 0, false
}

// mediaNumber reads the value a feature is compared with.
func mediaNumber(name string, ns []syntax.Value, v Viewport) (float64, bool) {
	if strings.HasSuffix(name, "aspect-ratio") {
		switch {
		case len(ns) == 1 && ns[0].Kind == syntax.Number:
			return ns[0].Num, ns[0].Num >= 0
		case len(ns) == 3 && ns[0].Kind == syntax.Number && ns[1].IsDelim('/') && ns[2].Kind == syntax.Number:
			return ns[0].Num / ns[2].Num, ns[0].Num >= 0 && ns[2].Num >= 0
		}
		return 0, false
	}
	if len(ns) != 1 {
		return 0, false
	}
	n := ns[0]
	switch name {
	case "width", "height", "device-width", "device-height":
		return Length(n, v)
	case "resolution":
		if IsLengthFunction(n) {
			return Calc(n, Resolution)
		}
		return Resolution(n)
	}
	if IsLengthFunction(n) {
		q, ok := calc(n, Resolution)
		return q.value, ok && !q.dimension
	}
	return n.Num, n.Kind == syntax.Number
}

// Length is n in CSS pixels; font-relative units take the initial 16px font,
// as media queries do.
func Length(n syntax.Value, v Viewport) (float64, bool) {
	if IsLengthFunction(n) {
		return Calc(n, func(n syntax.Value) (float64, bool) { return Length(n, v) })
	}
	if n.Kind == syntax.Number && n.Num == 0 {
		return 0, true
	}
	if n.Kind != syntax.Dimension {
		return 0, false
	}
	unit := strings.ToLower(n.Text)
	if len(unit) > 2 && unit[1] == 'v' && strings.ContainsAny(unit[:1], "sld") {
		unit = unit[1:] // small, large and dynamic viewports are one on load
	}
	w, h := float64(v.Width)/100, float64(v.Height)/100
	factor := map[string]float64{
		"vw": w, "vi": w, "vh": h, "vb": h, "vmin": min(w, h), "vmax": max(w, h),
		"px": 1, "em": 16, "rem": 16, "ex": 8, "ch": 8, "rex": 8, "rch": 8, "ic": 16, "lh": 18, "rlh": 18,
		"in": 96, "cm": 96 / 2.54, "mm": 96 / 25.4, "q": 96 / 101.6, "pt": 96. / 72, "pc": 16,
	}[unit]
	return n.Num * factor, factor != 0
}

// Resolution is n in dots per CSS pixel.
func Resolution(n syntax.Value) (float64, bool) {
	if n.Kind != syntax.Dimension {
		return 0, false
	}
	switch strings.ToLower(n.Text) {
	case "dppx", "x":
		return n.Num, true
	case "dpi":
		return n.Num / 96, true
	case "dpcm":
		return n.Num * 2.54 / 96, true
	}
	return 0, false
}

// Calc evaluates calc(), min(), max(), clamp() and the parentheses in them to a
// dimension. operand gives the value of a dimension or percentage.
func Calc(n syntax.Value, operand func(syntax.Value) (float64, bool)) (float64, bool) {
	q, ok := calc(n, operand)
	return q.value, ok && q.dimension
}

// quantity is a dimension, in the unit of the operands, or a number.
type quantity struct {
	value     float64
	dimension bool
}

func calc(n syntax.Value, operand func(syntax.Value) (float64, bool)) (quantity, bool) {
	var args []float64
	var q quantity
	for i, part := range syntax.Split(n.Args, syntax.IsComma) {
		arg, ok := sum(syntax.Fields(part), operand)
		if !ok || i > 0 && arg.dimension != q.dimension {
			return q, false
		}
		q.dimension = arg.dimension
		args = append(args, arg.value)
	}
	switch name := strings.ToLower(n.Text); {
	case name == "min":
		q.value = slices.Min(args)
	case name == "max":
		q.value = slices.Max(args)
	case name == "clamp" && len(args) == 3:
		q.value = max(args[0], min(args[1], args[2]))
	default:
		q.value = args[0]
		return q, len(args) == 1 && (n.Kind == syntax.OpenParen || name == "calc" || name == "-webkit-calc")
	}
	return q, true
}

// sum evaluates sums, differences, products and quotients. Numbers and dimensions
// cannot be added, dimensions neither multiplied nor divided by. A quotient by 0
// is left out, which Chromium takes for infinite.
func sum(w []syntax.Value, operand func(syntax.Value) (float64, bool)) (total quantity, ok bool) {
	if len(w)%2 == 0 {
		return total, false
	}
	var terms []quantity
	op := "+"
	for i, x := range w {
		if i%2 == 1 {
			op = x.Text
			spaced := w[i-1].End < x.Start && x.End < w[i+1].Start
			if x.Kind != syntax.Delim || !strings.Contains("+-*/", op) || !spaced && strings.Contains("+-", op) {
				return total, false
			}
			continue
		}
		q, ok := term(x, operand)
		if !ok {
			return total, false
		}
		switch op {
		case "+":
			terms = append(terms, q)
		case "-":
			terms = append(terms, quantity{-q.value, q.dimension})
		default:
			last := &terms[len(terms)-1]
			if op == "/" {
				ok, q.value = !q.dimension && q.value != 0, 1/q.value
			}
			if !ok || q.dimension && last.dimension {
				return total, false
			}
			last.value, last.dimension = last.value*q.value, last.dimension || q.dimension
		}
	}
	total.dimension = terms[0].dimension
	for _, t := range terms {
		if t.dimension != total.dimension {
			return total, false
		}
		total.value += t.value
	}
	return total, true
}

// term evaluates one operand of a sum or product.
func term(n syntax.Value, operand func(syntax.Value) (float64, bool)) (quantity, bool) {
	switch {
	case isGroup(n):
		return calc(n, operand)
	case n.Kind == syntax.Number:
		return quantity{n.Num, false}, true
	}
	v, ok := operand(n)
	return quantity{v, true}, ok
}

// keywordFeatures lists the discrete features Chromium knows with the values
// it takes.
var keywordFeatures = map[string]string{
	"orientation":                  "portrait landscape",
	"hover":                        "none hover",
	"any-hover":                    "none hover",
	"pointer":                      "none coarse fine",
	"any-pointer":                  "none coarse fine",
	"scan":                         "progressive interlace",
	"update":                       "none slow fast",
	"overflow-block":               "none scroll paged",
	"overflow-inline":              "none scroll",
	"color-gamut":                  "srgb p3 rec2020",
	"dynamic-range":                "standard high",
	"prefers-color-scheme":         "light dark",
	"prefers-reduced-motion":       "no-preference reduce",
	"prefers-reduced-transparency": "no-preference reduce",
	"prefers-contrast":             "no-preference more less custom",
	"forced-colors":                "none active",
	"display-mode":                 "browser fullscreen standalone minimal-ui window-controls-overlay picture-in-picture tabbed borderless",
	"device-posture":               "continuous folded",
	"scripting":                    "none initial-only enabled",
}

// keywordValue says whether feature name has the value word in v: a plain
// screen in light colours with no preferences set.
func keywordValue(name string, v Viewport, word string) bool {
	pick := func(b bool, yes, no string) bool {
		if b {
			return word == yes
		}
		return word == no
	}
	switch name {
	case "orientation":
		return pick(v.Height >= v.Width, "portrait", "landscape")
	case "hover", "any-hover":
		return pick(v.Mobile, "none", "hover")
	case "pointer", "any-pointer":
		return pick(v.Mobile, "coarse", "fine")
	case "scan":
		return false
	case "update":
		return word == "fast"
	case "overflow-block", "overflow-inline":
		return word == "scroll"
	case "color-gamut":
		return word == "srgb"
	case "dynamic-range":
		return word == "standard"
	case "prefers-color-scheme":
		return word == "light"
	case "forced-colors":
		return word == "none"
	case "display-mode":
		return word == "browser"
	case "scripting":
		return pick(v.Scripting, "enabled", "none")
	case "device-posture":
		return word == "continuous"
	}
	return word == "no-preference"
}

// boolFeature evaluates a feature that stands alone: does it have a value
// that is not zero or none?
func boolFeature(name string, v Viewport) Truth {
	if name == "-webkit-device-pixel-ratio" || name == "-webkit-transform-3d" {
		return Yes
	}
	if f, ok := numericFeature(name, v); ok && name != "device-pixel-ratio" {
		return TruthOf(f != 0)
	}
	allowed, ok := keywordFeatures[name]
	if !ok {
		return Unknown
	}
	for _, word := range strings.Fields(allowed) {
		if word != "none" && word != "no-preference" && keywordValue(name, v, word) {
			return Yes
		}
	}
	return No
}
