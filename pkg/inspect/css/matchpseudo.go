package css

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/syntax"
)

// pseudo matches a pseudo-class with e as it is when a page has just loaded:
// nothing hovered, focused or visited.
func (m *matcher) pseudo(t *pseudoTest, e *element) bool {
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
		return e.parent == nil
	case "empty":
		return empty(e)
	case "lang":
		return hasLang(e, t.args)
	case "dir":
		return len(t.args) == 1 && direction(e) == t.args[0]
	case "any-link", "link", "-webkit-any-link":
		return (e.is("a", "area") || e.ns == "svg" && e.tag == "a") && e.has("href")
	case "defined":
		return e.ns != "html" || !strings.Contains(e.tag, "-")
	case "open":
		return e.is("details", "dialog") && e.has("open")
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
func structural(t *pseudoTest, e *element) (ok, known bool) {
	e.number()
	switch t.name {
	case "first-child":
		return e.prev == nil, true
	case "last-child":
		return e.next == nil, true
	case "only-child":
		return e.prev == nil && e.next == nil, true
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

func (m *matcher) inScope(t *pseudoTest, e *element) bool {
	for p := e; p != nil; p = p.parent {
		if m.any(t.sels, p) {
			return true
		}
		if m.any(t.limits, p) {
			return false
		}
	}
	return false
}

func empty(e *element) bool {
	if e.first != nil {
		return false
	}
	for c := e.node.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && c.Data != "" {
			return false
		}
	}
	return true
}

func hasLang(e *element, want []string) bool {
	for p := e; p != nil; p = p.parent {
		lang, ok := p.attr("lang")
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

func direction(e *element) string {
	for p := e; p != nil; p = p.parent {
		if d, ok := p.attr("dir"); ok {
			if d = strings.ToLower(d); d == "ltr" || d == "rtl" {
				return d
			}
		}
	}
	return "ltr"
}

var (
	textTypes = syntax.Keywords("text search url tel email password date month week time datetime-local number")
	// writable are the input types :required and :read-write speak of.
	unrequired = syntax.Keywords("hidden range color submit image reset button")
)

// formState decides the pseudo-classes of form controls from the markup.
func formState(name string, e *element) bool {
	control := e.is("input", "button", "select", "textarea", "fieldset", "optgroup", "option")
	typ := e.inputType()
	switch name {
	case "enabled":
		return control && !disabled(e)
	case "disabled":
		return control && disabled(e)
	case "checked":
		return (typ == "checkbox" || typ == "radio") && e.has("checked") || e.is("option") && selected(e)
	case "default":
		return (typ == "checkbox" || typ == "radio") && e.has("checked") || e.is("option") && e.has("selected") || firstSubmit(e)
	case "indeterminate":
		return e.is("progress") && !e.has("value")
	case "required":
		return e.is("input", "select", "textarea") && !unrequired[typ] && e.has("required")
	case "optional":
		return e.is("input", "select", "textarea") && (unrequired[typ] || !e.has("required"))
	case "read-write", "read-only":
		return writable(e) == (name == "read-write")
	case "placeholder-shown":
		value, _ := e.attr("value")
		return e.has("placeholder") && (textTypes[typ] && value == "" || e.is("textarea") && e.node.FirstChild == nil)
	case "in-range", "out-of-range":
		in, ranged := inRange(e, typ)
		return ranged && in == (name == "in-range")
	case "valid", "invalid":
		if e.is("form", "fieldset") {
			return !invalidWithin(e) == (name == "valid")
		}
		return validatable(e, typ) && valid(e, typ) == (name == "valid")
	}
	return false
}

func disabled(e *element) bool {
	if e.has("disabled") {
		return true
	}
	if e.is("option") && e.parent != nil && e.parent.is("optgroup") {
		return e.parent.has("disabled")
	}
	for p := e.parent; p != nil && e.is("input", "button", "select", "textarea", "fieldset"); p = p.parent {
		if p.is("fieldset") && p.has("disabled") {
			return true
		}
	}
	return false
}

// selected says whether option e is chosen: marked so, or the first of a
// drop-down in which none is.
func selected(e *element) bool {
	if e.has("selected") {
		return true
	}
	list := e.parent
	for list != nil && !list.is("select") {
		list = list.parent
	}
	if list == nil || list.has("multiple") {
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
func (e *element) firstOption() *element {
	var first *element
	marked := false
	var visit func(*element)
	visit = func(p *element) {
		for c := p.first; c != nil; c = c.next {
			if c.is("option") {
				if first == nil && !c.has("disabled") {
					first = c
				}
				marked = marked || c.has("selected")
			}
			visit(c)
		}
	}
	visit(e)
	if marked {
		return nil
	}
	return first
}

func firstSubmit(e *element) bool {
	if t := e.inputType(); t != "submit" && t != "image" && !e.is("button") {
		return false
	}
	form := e.parent
	for form != nil && !form.is("form") {
		form = form.parent
	}
	if form == nil {
		return false
	}
	var first func(*element) *element
	first = func(p *element) *element {
		for c := p.first; c != nil; c = c.next {
			kind, typed := c.attr("type")
			if t := c.inputType(); t == "submit" || t == "image" || c.is("button") && (!typed || strings.EqualFold(kind, "submit")) {
				return c
			}
			if f := first(c); f != nil {
				return f
			}
		}
		return nil
	}
	return first(form) == e
}

func writable(e *element) bool {
	if v, ok := e.attr("contenteditable"); ok && !strings.EqualFold(v, "false") {
		return true
	}
	typ := e.inputType()
	return (textTypes[typ] || e.is("textarea")) && !e.has("readonly") && !disabled(e)
}

func inRange(e *element, typ string) (in, ranged bool) {
	if typ != "number" && typ != "range" || !e.has("min") && !e.has("max") && typ == "number" || disabled(e) || e.has("readonly") {
		return false, false
	}
	text, _ := e.attr("value")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return true, true
	}
	lo, _ := e.attr("min")
	hi, _ := e.attr("max")
	if f, err := strconv.ParseFloat(lo, 64); err == nil && v < f {
		return false, true
	}
	f, err := strconv.ParseFloat(hi, 64)
	return err != nil || v <= f, true
}

func validatable(e *element, typ string) bool {
	if disabled(e) || e.has("readonly") {
		return false
	}
	return e.is("select", "textarea") || typ != "" && typ != "hidden" && typ != "button" && typ != "reset" ||
		e.is("button")
}

// valid judges what markup alone can tell: a required value that is missing,
// a number out of range.
func valid(e *element, typ string) bool {
	if in, ranged := inRange(e, typ); ranged && !in {
		return false
	}
	if !e.has("required") || unrequired[typ] {
		return true
	}
	value, _ := e.attr("value")
	switch {
	case typ == "checkbox" || typ == "radio":
		return e.has("checked")
	case e.is("textarea"):
		return e.node.FirstChild != nil
	case e.is("select"):
		return true
	}
	return value != ""
}

func invalidWithin(e *element) bool {
	for c := e.first; c != nil; c = c.next {
		if typ := c.inputType(); validatable(c, typ) && !valid(c, typ) || invalidWithin(c) {
			return true
		}
	}
	return false
}

// focused says whether e is or holds an element with autofocus. Chromium
// matches :focus only in a window that has the focus, :focus-within always.
func focused(e *element) bool {
	if e.has("autofocus") {
		return true
	}
	for c := e.first; c != nil; c = c.next {
		if focused(c) {
			return true
		}
	}
	return false
}
