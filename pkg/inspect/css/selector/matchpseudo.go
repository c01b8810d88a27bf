package selector

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/syntax"
)

// pseudo matches a pseudo-class with e as it is when a page has just loaded:
// nothing hovered, focused or visited.
func (m *Matcher) pseudo(t *pseudoTest, e *Element) bool {
	switch t.name {
	case "is":
		return m.any(t.sels, e)
	case "not":
		return !m.any(t.sels, e)
	case "has":
		return m.hasAny(t.sels, e)
	case "-in-scope":
		return m.inScope(t, e)
	case "root":
		return e.Parent == nil
	case "empty":
		return empty(e)
	case "lang":
		return hasLang(e, t.args)
	case "dir":
		return len(t.args) == 1 && direction(e) == t.args[0]
	case "any-link", "link", "-webkit-any-link":
		return (e.Is("a", "area") || e.Namespace == "svg" && e.Tag == "a") && e.Has("href")
	case "defined":
		return e.Namespace != "html" || !strings.Contains(e.Tag, "-")
	case "open":
		return e.Is("details", "dialog") && e.Has("open")
	case "host", "host-context", "state", "active-view-transition-type", "heading":
		return false
	}
	if t.name == "focus-within" && focused(e) {
		return true
	}
	if dynamicStates[t.name] {
		return false
	}
	if ok, known := structural(t, e); known {
		if len(t.sels) > 0 {
			return m.nthOf(t, e)
		}
		return ok
	}
	return formState(t.name, e)
}

// structural decides the pseudo-classes that count siblings.
func structural(t *pseudoTest, e *Element) (ok, known bool) {
	e.number()
	switch t.name {
	case "first-child":
		return e.prev == nil, true
	case "last-child":
		return e.Next == nil, true
	case "only-child":
		return e.prev == nil && e.Next == nil, true
	case "first-of-type":
		return e.typeIndex == 1, true
	case "last-of-type":
		return e.typeIndexLast == 1, true
	case "only-of-type":
		return e.typeIndex == 1 && e.typeIndexLast == 1, true
	case "nth-child":
		return nth(t.a, t.b, e.index), true
	case "nth-last-child":
		return nth(t.a, t.b, e.fromEnd), true
	case "nth-of-type":
		return nth(t.a, t.b, e.typeIndex), true
	case "nth-last-of-type":
		return nth(t.a, t.b, e.typeIndexLast), true
	}
	return false, false
}

func (m *Matcher) inScope(t *pseudoTest, e *Element) bool {
	for p := e; p != nil; p = p.Parent {
		if m.any(t.sels, p) {
			return true
		}
		if m.any(t.limits, p) {
			return false
		}
	}
	return false
}

func empty(e *Element) bool {
	if e.First != nil {
		return false
	}
	for c := e.Node.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && c.Data != "" {
			return false
		}
	}
	return true
}

func hasLang(e *Element, want []string) bool {
	for p := e; p != nil; p = p.Parent {
		lang, ok := p.Attr("lang")
		if !ok {
			continue
		}
		lang = strings.ToLower(lang)
		for _, w := range want {
			w = strings.TrimPrefix(w, "*-")
			if lang == w || strings.HasPrefix(lang, w+"-") || w == "*" && lang != "" {
				return true
			}
		}
		return false
	}
	return false
}

func direction(e *Element) string {
	for p := e; p != nil; p = p.Parent {
		if d, ok := p.Attr("dir"); ok {
			if d = strings.ToLower(d); d == "ltr" || d == "rtl" {
				return d
			}
		}
	}
	return "ltr"
}

var (
	textTypes = syntax.Keywords("text search url tel email password date month week time datetime-local number")
	// unrequired are the input types that :required never matches.
	unrequired = syntax.Keywords("hidden range color submit image reset button")
)

// formState decides the pseudo-classes of form controls from the markup.
func formState(name string, e *Element) bool {
	control := e.Is("input", "button", "select", "textarea", "fieldset", "optgroup", "option")
	typ := e.InputType()
	switch name {
	case "enabled":
		return control && !disabled(e)
	case "disabled":
		return control && disabled(e)
	case "checked":
		return (typ == "checkbox" || typ == "radio") && e.Has("checked") || e.Is("option") && Selected(e)
	case "default":
		return (typ == "checkbox" || typ == "radio") && e.Has("checked") || e.Is("option") && e.Has("selected") || firstSubmit(e)
	case "indeterminate":
		return e.Is("progress") && !e.Has("value")
	case "required":
		return e.Is("input", "select", "textarea") && !unrequired[typ] && e.Has("required")
	case "optional":
		return e.Is("input", "select", "textarea") && (unrequired[typ] || !e.Has("required"))
	case "read-write", "read-only":
		return writable(e) == (name == "read-write")
	case "placeholder-shown":
		value, _ := e.Attr("value")
		return e.Has("placeholder") && (textTypes[typ] && value == "" || e.Is("textarea") && e.Node.FirstChild == nil)
	case "in-range", "out-of-range":
		in, ranged := inRange(e, typ)
		return ranged && in == (name == "in-range")
	case "valid", "invalid":
		if e.Is("form", "fieldset") {
			return !invalidWithin(e) == (name == "valid")
		}
		return validatable(e, typ) && valid(e, typ) == (name == "valid")
	}
	return false
}

func disabled(e *Element) bool {
	if e.Has("disabled") {
		return true
	}
	if e.Is("option") && e.Parent != nil && e.Parent.Is("optgroup") {
		return e.Parent.Has("disabled")
	}
	for p := e.Parent; p != nil && e.Is("input", "button", "select", "textarea", "fieldset"); p = p.Parent {
		if p.Is("fieldset") && p.Has("disabled") {
			return true
		}
	}
	return false
}

// Selected says whether option e is chosen: marked so, or the first of a
// drop-down in which none is.
func Selected(e *Element) bool {
	if e.Has("selected") {
		return true
	}
	list := e.closest("select")
	if list == nil || list.Has("multiple") {
		return false
	}
	if !list.counted {
		list.counted = true
		list.option = list.firstOption()
	}
	return list.option == e
}

// firstOption is the option that a drop-down shows when none is marked; nil
// when one is.
func (e *Element) firstOption() *Element {
	var first *Element
	for o := range e.Descendants() {
		switch {
		case !o.Is("option"):
		case o.Has("selected"):
			return nil
		case first == nil && !o.Has("disabled"):
			first = o
		}
	}
	return first
}

// firstSubmit says whether e is the button that submits its form by default.
func firstSubmit(e *Element) bool {
	if form := e.closest("form"); form != nil && submits(e) {
		for c := range form.Descendants() {
			if submits(c) {
				return c == e
			}
		}
	}
	return false
}

func submits(e *Element) bool {
	kind, typed := e.Attr("type")
	t := e.InputType()
	return t == "submit" || t == "image" || e.Is("button") && (!typed || strings.EqualFold(kind, "submit"))
}

func writable(e *Element) bool {
	if v, ok := e.Attr("contenteditable"); ok && !strings.EqualFold(v, "false") {
		return true
	}
	typ := e.InputType()
	return (textTypes[typ] || e.Is("textarea")) && !e.Has("readonly") && !disabled(e)
}

func inRange(e *Element, typ string) (in, ranged bool) {
	if typ != "number" && typ != "range" || !e.Has("min") && !e.Has("max") && typ == "number" || disabled(e) || e.Has("readonly") {
		return false, false
	}
	text, _ := e.Attr("value")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return true, true
	}
	lo, _ := e.Attr("min")
	hi, _ := e.Attr("max")
	if f, err := strconv.ParseFloat(lo, 64); err == nil && v < f {
		return false, true
	}
	f, err := strconv.ParseFloat(hi, 64)
	return err != nil || v <= f, true
}

func validatable(e *Element, typ string) bool {
	if disabled(e) || e.Has("readonly") {
		return false
	}
	return e.Is("select", "textarea") || typ != "" && typ != "hidden" && typ != "button" && typ != "reset" ||
		e.Is("button")
}

// valid judges what markup alone can tell: a required value that is missing,
// a number out of range.
func valid(e *Element, typ string) bool {
	if in, ranged := inRange(e, typ); ranged && !in {
		return false
	}
	if !e.Has("required") || unrequired[typ] {
		return true
	}
	value, _ := e.Attr("value")
	switch {
	case typ == "checkbox" || typ == "radio":
		return e.Has("checked")
	case e.Is("textarea"):
		return e.Node.FirstChild != nil
	case e.Is("select"):
		return true
	}
	return value != ""
}

func invalidWithin(e *Element) bool {
	for c := range e.Descendants() {
		if typ := c.InputType(); validatable(c, typ) && !valid(c, typ) {
			return true
		}
	}
	return false
}

// focused says whether e is or holds an element with autofocus. Chromium
// matches :focus only in a window that has the focus, :focus-within always.
func focused(e *Element) bool {
	if e.Has("autofocus") {
		return true
	}
	for c := range e.Descendants() {
		if c.Has("autofocus") {
			return true
		}
	}
	return false
}
