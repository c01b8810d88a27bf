package markup

import (
	"math"
	"strconv"
	"strings"
)

// length evaluates a CSS length of a sizes attribute to pixels. Relative font
// units count 16px, the initial font size, whatever the page sets.
func (e Env) length(s string) (float64, bool) {
	p := lengthParser{env: e, s: strings.ToLower(strings.TrimSpace(s))}
	v, isLength, ok := p.value()
	p.skip()
	if !ok || p.i != len(p.s) || !isLength && v != 0 {
		return 0, false
	}
	return v, true
}

// lengthParser evaluates calc(), min(), max() and clamp() by recursive
// descent; depth bounds it against hostile nesting.
type lengthParser struct {
	env   Env
	s     string
	i     int
	depth int
}

func (p *lengthParser) skip() {
	for p.i < len(p.s) && strings.IndexByte(space, p.s[p.i]) >= 0 {
		p.i++
	}
}

// value reads a dimension, a number, a function or a parenthesis.
func (p *lengthParser) value() (v float64, isLength, ok bool) {
	if p.depth++; p.depth > 32 {
		return 0, false, false
	}
	defer func() { p.depth-- }()
	p.skip()
	for _, name := range []string{"calc(", "min(", "max(", "clamp(", "("} {
		if strings.HasPrefix(p.s[p.i:], name) {
			p.i += len(name)
			return p.arguments(name)
		}
	}
	return p.dimension()
}

func (p *lengthParser) arguments(name string) (v float64, isLength, ok bool) {
	var args []float64
	for {
		v, isLength, ok = p.sum()
		if !ok {
			return 0, false, false
		}
		args = append(args, v)
		p.skip()
		if p.i >= len(p.s) {
			return 0, false, false
		}
		c := p.s[p.i]
		p.i++
		if c == ')' {
			break
		}
		if c != ',' || name == "calc(" || name == "(" {
			return 0, false, false
		}
	}
	v = args[0]
	switch name {
	case "min(", "max(":
		for _, a := range args {
			if name == "min(" {
				v = min(v, a)
			} else {
				v = max(v, a)
			}
		}
	case "clamp(":
		if len(args) != 3 {
			return 0, false, false
		}
		v = max(args[0], min(args[1], args[2]))
	}
	return v, isLength, true
}

func (p *lengthParser) sum() (v float64, isLength, ok bool) {
	v, isLength, ok = p.product()
	for ok {
		p.skip()
		if p.i+1 >= len(p.s) || p.s[p.i] != '+' && p.s[p.i] != '-' || p.s[p.i+1] != ' ' {
			return v, isLength, true
		}
		op := p.s[p.i]
		p.i++
		w, l, ok2 := p.product()
		if !ok2 || l != isLength {
			return 0, false, false
		}
		if op == '-' {
			w = -w
		}
		v += w
	}
	return 0, false, false
}

func (p *lengthParser) product() (v float64, isLength, ok bool) {
	v, isLength, ok = p.value()
	for ok {
		p.skip()
		if p.i >= len(p.s) || p.s[p.i] != '*' && p.s[p.i] != '/' {
			return v, isLength, true
		}
		op := p.s[p.i]
		p.i++
		w, l, ok2 := p.value()
		if !ok2 || l && (isLength || op == '/') || op == '/' && w == 0 {
			return 0, false, false
		}
		if op == '*' {
			v *= w
		} else {
			v /= w
		}
		isLength = isLength || l
	}
	return 0, false, false
}

// dimension reads a number with an optional unit.
func (p *lengthParser) dimension() (v float64, isLength, ok bool) {
	start := p.i
	for p.i < len(p.s) && strings.IndexByte("+-.0123456789", p.s[p.i]) >= 0 {
		p.i++
	}
	if p.i+1 < len(p.s) && p.s[p.i] == 'e' && strings.IndexByte("+-0123456789", p.s[p.i+1]) >= 0 {
		p.i++
		for p.i < len(p.s) && strings.IndexByte("+-0123456789", p.s[p.i]) >= 0 {
			p.i++
		}
	}
	v, err := strconv.ParseFloat(p.s[start:p.i], 64)
	if err != nil {
		return 0, false, false
	}
	unit := p.i
	for p.i < len(p.s) && p.s[p.i] >= 'a' && p.s[p.i] <= 'z' {
		p.i++
	}
	if unit == p.i {
		return v, false, true
	}
	factor, ok := p.unit(p.s[unit:p.i])
	return v * factor, true, ok
}

// unit returns the pixels of one unit.
func (p *lengthParser) unit(name string) (float64, bool) {
	w, h := p.env.Width/100, p.env.Height/100
	switch strings.TrimLeft(name, "sld") {
	case "vw", "vi":
		return w, true
	case "vh", "vb":
		return h, true
	case "vmin":
		return math.Min(w, h), true
	case "vmax":
		return math.Max(w, h), true
	}
	switch name {
	case "px":
		return 1, true
	case "em", "rem", "ic":
		return 16, true
	case "ex", "ch":
		return 8, true
	case "in":
		return 96, true
	case "cm":
		return 96 / 2.54, true
	case "mm":
		return 9.6 / 2.54, true
	case "q":
		return 2.4 / 2.54, true
	case "pt":
		return 96.0 / 72, true
	case "pc":
		return 16, true
	}
	return 0, false
}
