package markup

import "strings"

// What makes requests is recognised by names and by text, without executing
// anything: docs/inspection.md has the table. A script that can make a request
// in some branch counts, whether or not the branch is taken. Markup counts where
// its text is; what inserts markup from elsewhere counts only where the document
// keeps some that loads something (Document.Keeps).

// name looks at the identifier word, which is no property; before is the token
// in front of it.
func (j *jsScanner) name(word, before string) {
	switch word {
	case "XMLHttpRequest", "ActiveXObject", "EventSource", "WebSocket", "WebTransport", "importScripts", "SharedWorker":
		j.fetches = true
	case "fetch", "fetchLater":
		j.fetches = j.fetches || before != "function" && j.called() || j.kept(before)
	case "Image", "Audio", "Worker", "FontFace":
		j.fetches = j.fetches || before == "new"
	case "axios":
		j.fetches = j.fetches || j.nextIs('(') || j.nextIs('.')
	case "eval":
		j.fetches = j.fetches || before != "function" && j.nextIs('(')
	case "Function":
		if j.nextIs('(') { // else each of many names in a row would look at all that follow
			j.codeOfFunction(j.i)
		}
	case "setTimeout", "setInterval":
		j.code(j.i)
	case "location":
		// At the top level: the page is replaced as it loads.
		j.fetches = j.fetches || j.depth == 0 && j.assigned()
	case "src", "srcset", "poster":
		// A key of an object: what attributes are set from.
		j.key(before)
	}
}

// key looks at the key src, srcset or poster of an object, from which attributes are
// set; before is the token in front of it.
func (j *jsScanner) key(before string) {
	j.fetches = j.fetches || (before == "{" || before == ",") && j.nextIs(':') && !j.constant() && j.loads(j.i)
}

// property looks at the word after a dot, or in brackets; object is the word
// before it, "" for none.
func (j *jsScanner) property(word, object string) {
	switch word {
	case "XMLHttpRequest", "ActiveXObject", "EventSource", "WebSocket", "WebTransport", "sendBeacon", "importScripts", "SharedWorker",
		"ajax", "getJSON", "getScript", "addModule":
		j.fetches = true
	case "fetch", "fetchLater":
		global := object == "window" || object == "self" || object == "globalThis"
		j.fetches = j.fetches || j.called() || global && j.kept(j.lead)
	case "setTimeout", "setInterval":
		j.code(j.i)
	case "serviceWorker":
		j.fetches = j.fetches || strings.HasPrefix(j.s[j.i:], ".register")
	case "get", "post":
		j.fetches = j.fetches || (object == "$" || object == "jQuery" || object == "axios" || object == "$http") && j.nextIs('(')
	case "load":
		j.fetches = j.fetches || j.loadsText()
	case "write", "writeln":
		j.fetches = j.fetches || object == "document" && j.nextIs('(') && j.insertsMarkup(j.i)
	case "createElement":
		j.fetches = j.fetches || j.nextIs('(') && loaderName(j.argument(j.i))
	case "createElementNS":
		j.fetches = j.fetches || j.createsLoaderNS()
	case "insertAdjacentHTML", "createContextualFragment", "importNode", "cloneNode":
		j.inserts = j.inserts || j.nextIs('(')
	case "innerHTML", "outerHTML":
		j.inserts = j.inserts || j.assigned()
	case "html", "append", "prepend", "appendChild", "replaceWith":
		j.inserts = j.inserts || j.nextIs('(')
	case "addEventListener", "on":
		j.skipListener()
	case "click", "dblclick", "hover", "mouseenter", "mouseleave", "mouseover", "keydown", "keyup", "keypress", "change", "submit":
		if j.nextIs('(') { // of jQuery
			j.i = j.after(j.i) + 1
			j.skipTo(')')
		}
	case "onclick", "onsubmit", "onmouseover", "onkeydown", "onkeyup", "onchange", "oninput":
		if j.assigned() {
			j.skipFunction()
		}
	case "srcdoc":
		j.fetches = j.fetches || j.assigned() && j.insertsMarkup(j.i)
	case "src":
		j.fetches = j.fetches || j.assigned() && j.loads(j.i) && !j.changes(object+".src")
	case "srcset", "poster", "backgroundImage", "borderImage", "listStyleImage":
		j.fetches = j.fetches || j.assigned() && j.loads(j.i)
	case "setAttribute", "setAttributeNS", "attr", "prop":
		j.fetches = j.fetches || j.setsAddress()
	case "rel":
		j.fetches = j.fetches || j.assigned() && strings.Contains(j.argument(j.i), "stylesheet")
	case "href":
		j.fetches = j.fetches || object == "location" && j.depth == 0 && j.assigned()
	case "location":
		j.fetches = j.fetches || (object == "window" || object == "document" || object == "self") && j.depth == 0 && j.assigned()
	case "import":
		j.fetches = j.fetches || object == "System"
	case "assign", "replace":
		j.fetches = j.fetches || object == "location" && j.depth == 0 && j.nextIs('(')
	}
}

// after is the place of the next token that begins at or after i.
func (j *jsScanner) after(i int) int {
	for i < len(j.s) && j.s[i] <= ' ' {
		i++
	}
	return i
}

// nextIs says whether the next token begins with c.
func (j *jsScanner) nextIs(c byte) bool {
	i := j.after(j.i)
	return i < len(j.s) && j.s[i] == c
}

// kept says whether a function is kept under another name, returned or passed on;
// before is the token in front of it.
func (j *jsScanner) kept(before string) bool {
	switch before {
	case "=", "return", ":", "?", "=>", "default":
		return j.valueEnds()
	case "|":
		return j.conds&1 == 0 && j.valueEnds() // in a condition it is only asked for
	}
	return false
}

// valueEnds says whether a value ends here, or is one of several.
func (j *jsScanner) valueEnds() bool {
	i := j.after(j.i)
	if i >= len(j.s) {
		return true
	}
	rest := j.s[i:]
	return strings.IndexByte(";,)}]:", rest[0]) >= 0 || strings.HasPrefix(rest, "||") || strings.HasPrefix(rest, "??") || strings.HasPrefix(rest, "//") ||
		isIdent(rest[0]) && strings.Contains(j.s[j.i:i], "\n")
}

// takesFunction says whether a method calls what it is given.
func takesFunction(name string) bool {
	switch name {
	case "then", "map", "flatMap", "forEach":
		return true
	}
	return false
}

// called says whether a function is called, or passed on: fetch(…), fetch?.(…),
// fetch.call(…), fetch.bind(…).
func (j *jsScanner) called() bool {
	i := j.after(j.i)
	if i >= len(j.s) {
		return false
	}
	rest := j.s[i:]
	return rest[0] == '(' || rest[0] == '`' || strings.HasPrefix(rest, "?.(") || strings.HasPrefix(rest, ".call") || strings.HasPrefix(rest, ".apply") || strings.HasPrefix(rest, ".bind")
}

// assigned says whether an assignment follows: = or +=.
func (j *jsScanner) assigned() bool {
	i := j.after(j.i)
	if i < len(j.s) && j.s[i] == '+' {
		i++
	}
	return i < len(j.s) && j.s[i] == '=' && (i+1 >= len(j.s) || j.s[i+1] != '=' && j.s[i+1] != '>')
}

// insertsMarkup says whether the markup at i, after = or (, may load something:
// it is no plain string. The strings themselves are looked at as they are read.
func (j *jsScanner) insertsMarkup(i int) bool {
	_, end, ok := j.literal(i)
	if !ok {
		return true
	}
	end = j.after(end)
	return end < len(j.s) && j.s[end] == '+'
}

// loads says whether the address at i, after = or :, is one that is requested:
// not a plain string that is empty or names no server.
func (j *jsScanner) loads(i int) bool {
	text, _, ok := j.literal(i)
	if !ok {
		return true
	}
	text = strings.TrimLeft(text, " '\"")
	return text != "" && text != "none" && text != "inherit" && !inPlace(text)
}

// inPlace says whether an address holds its content, or names a part of the
// document.
func inPlace(address string) bool {
	for _, scheme := range [...]string{"data:", "about:", "blob:", "javascript:", "#"} {
		if len(address) >= len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// loadsText recognises load("address").
func (j *jsScanner) loadsText() bool {
	i := j.after(j.i)
	if i >= len(j.s) || j.s[i] != '(' {
		return false
	}
	i = j.after(i + 1)
	if i >= len(j.s) {
		return false
	}
	return j.s[i] == '"' || j.s[i] == '\'' || j.s[i] == '`'
}

// createsLoaderNS recognises createElementNS(…, "image") and the like.
func (j *jsScanner) createsLoaderNS() bool {
	const longest = 80 // of the name of a namespace
	comma := strings.IndexByte(j.s[j.i:min(len(j.s), j.i+longest)], ',')
	if comma < 0 || !j.nextIs('(') {
		return false
	}
	name := j.argument(j.i + comma)
	return loaderName(name) || strings.EqualFold(name, "image") || strings.EqualFold(name, "feImage")
}

// loaderName recognises the name of an element that loads something; images and media
// of HTML are recognised by their src.
func loaderName(name string) bool {
	switch strings.ToLower(name) {
	case "script", "link", "iframe", "frame", "object", "embed":
		return true
	}
	return false
}

// setsAddress recognises setAttribute("src", …), attr("src", …), and
// attributes of these names.
func (j *jsScanner) setsAddress() bool {
	if !j.nextIs('(') {
		return false
	}
	name, end, ok := j.literal(j.i)
	end = j.after(end)
	if !ok || end >= len(j.s) || j.s[end] != ',' {
		return false
	}
	switch strings.ToLower(name) {
	case "src", "srcset", "poster", "srcdoc", "background":
		return j.loads(end)
	}
	return false
}

// loading holds the tags of elements that load something.
var loading = [...]string{"img", "image", "script", "scr", "iframe", "frame", "link", "video", "audio", "source", "track", "embed", "object", "use"}

// look looks for markup and style sheets that load something in a string.
func (j *jsScanner) look(text string) {
	if !j.judge || j.fetches {
		return
	}
	for i := 0; i < len(text) && !j.fetches; i++ {
		k := strings.IndexByte(text[i:], '<')
		if k < 0 {
			break
		}
		i += k
		j.fetches = loadingTag(text[i+1:])
	}
	j.fetches = j.fetches || strings.Contains(text, "@import") || strings.Contains(text, " src=") || loadsURL(text)
}

// loadingTag says whether text begins with the name of an element that loads
// something.
func loadingTag(text string) bool {
	for _, tag := range loading {
		if len(text) >= len(tag) && strings.EqualFold(text[:len(tag)], tag) && (len(text) == len(tag) || !isIdent(text[len(tag)])) {
			return true
		}
	}
	return false
}

// loadsURL says whether text has a url() of CSS that is requested.
func loadsURL(text string) bool {
	for {
		i := strings.Index(text, "url(")
		if i < 0 {
			return false
		}
		text = text[i+len("url("):]
		at := strings.TrimLeft(text, " '\"\\")
		if !strings.HasPrefix(at, ")") && !inPlace(at) {
			return true
		}
	}
}

// changes says that what is assigned is made from what was there, as a button
// that the visitor folds a list with does it with its image.
func (j *jsScanner) changes(was string) bool {
	const longest = 80
	value, _, _ := strings.Cut(j.s[j.i:min(len(j.s), j.i+longest)], ";")
	return !strings.HasPrefix(was, ".") && strings.Contains(value, was)
}

// constant says whether a value follows that is no address: true, !0, null, a
// number.
func (j *jsScanner) constant() bool {
	i := j.after(j.after(j.i) + 1)
	if i >= len(j.s) {
		return true
	}
	rest := j.s[i:]
	return strings.IndexByte("!0123456789", rest[0]) >= 0 || strings.HasPrefix(rest, "true") || strings.HasPrefix(rest, "false") || strings.HasPrefix(rest, "null")
}

// skipListener skips the arguments of addEventListener("click", …) and
// on("click", …): they wait for the visitor.
func (j *jsScanner) skipListener() {
	if !j.nextIs('(') {
		return
	}
	events, end, ok := j.literal(j.i)
	if !ok {
		return
	}
	for _, event := range strings.Fields(events) {
		event, _, _ = strings.Cut(event, ".")
		if !visitorEvent(event) {
			return
		}
	}
	j.i = end
	j.skipTo(')')
}

// skipFunction skips the function that is assigned to onclick and the like.
func (j *jsScanner) skipFunction() {
	const longest = 80 // up to the body
	head := j.s[j.i:min(len(j.s), j.i+longest)]
	body := strings.IndexByte(head, '{')
	if body < 0 || !strings.Contains(head[:body], "function") && !strings.HasSuffix(strings.TrimRight(head[:body], " "), "=>") {
		return
	}
	j.i += body + 1
	j.skipTo('}')
}

// skipTo reads past the bracket that closes the one before, without judging what
// is in between.
func (j *jsScanner) skipTo(end byte) {
	in := jsScanner{s: j.s, i: j.i, prev: "(", depth: j.depth + 1}
	open := 0
	for in.i < len(in.s) {
		switch c := in.s[in.i]; {
		case len(in.templates) > 0: // ends before the bracket does
		case c == end && open == 0:
			j.i, j.prev = in.i+1, in.s[in.i:in.i+1]
			for _, imp := range in.found {
				imp.waits = true
				j.found = append(j.found, imp)
			}
			return
		case c == '(' && end == ')' || c == '{' && end == '}':
			open++
		case c == end:
			open--
		}
		in.step()
	}
	j.fetches = true // not known: no end
}

// isLibrary recognises jQuery by its first lines and its last, which sets its
// two names: it requests nothing by itself, and what calls it is judged. A file
// with more behind jQuery does not end so.
func isLibrary(s string) bool {
	const head, tail = 400, 300
	start, end := s[:min(len(s), head)], s[max(len(s)-tail, 0):]
	return (strings.Contains(start, "jQuery v") || strings.Contains(start, "jQuery JavaScript Library v")) &&
		(strings.Contains(end, ".jQuery=") && strings.Contains(end, ".$=") || strings.Contains(end, "window.jQuery = window.$ = jQuery"))
}
