package markup

import (
	"encoding/json"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// script visits an HTML <script>.
func (w *walker) script(n *html.Node) {
	w.anyScript(n, attr(n, "src"), has(n, "src"))
}

func (w *walker) svgScript(n *html.Node) {
	href := svgHref(n)
	w.anyScript(n, href, href != "")
}

func (w *walker) anyScript(n *html.Node, src string, external bool) {
	kind := scriptKind(n)
	switch {
	case kind == speculationRules:
		if w.env.Scripting && !external {
			w.speculation(n)
		}
	case kind == importMap:
		if w.env.Scripting && !external {
			w.doc.ImportMap.add(textOf(n), w.resolver)
		}
	case kind == dataBlock && n.Namespace == "svg" && w.env.Scripting:
		w.notRun(src, external, "SVG script of a type that is not run, fetched all the same")
	case kind == dataBlock:
		w.keeps(textOf(n))
		if external {
			w.unused(n, src, libra.Script, "script of a type that is not run")
		}
	case !w.env.Scripting && !w.env.Scriptless:
		if external {
			w.unused(n, src, libra.Script, "script, and scripting is off")
		}
	case kind == classicScript && has(n, "nomodule"):
		w.unused(n, src, libra.Script, "nomodule script, for browsers without modules")
	case w.env.Scriptless:
		w.notRun(src, external, "script, fetched although its sandbox does not let it run")
	case kind == classicScript && !forWindow(n):
		w.notRun(src, external, "script for an event other than the window's load: fetched and not run")
	case external:
		w.externalScript(n, src, kind == moduleScript)
	default:
		w.executed(textOf(n), w.resolver.base.String(), kind == moduleScript)
	}
}

// notRun records a script that Chromium requests, as its preload scanner does
// not look at what keeps the script from running.
func (w *walker) notRun(src string, external bool, reason string) {
	if external {
		w.add(src, Reference{Type: libra.Script, Fetch: libra.Fetched, Reason: reason})
	}
}

// externalScript records a script with a URL.
func (w *walker) externalScript(n *html.Node, src string, module bool) {
	r := Reference{Type: libra.Script, Fetch: libra.Fetched, Reason: "script", Kind: Script, Integrity: strings.Clone(attr(n, "integrity"))}
	if module {
		r.Reason, r.Kind = "module script", Module
	}
	if !w.dataScript(src, module) {
		w.add(src, r)
	}
}

// executed records a script whose text is at hand, with its imports.
func (w *walker) executed(text, base string, module bool) {
	if text == "" {
		return // browsers leave an empty script alone
	}
	w.doc.Scripts++
	w.doc.ScriptBytes += int64(len(text))
	c := ReadScript(text, base, module, w.doc.ImportMap, !w.doc.MayFetch)
	w.doc.MayFetch = w.doc.MayFetch || c.MayFetch
	w.doc.Inserts = w.doc.Inserts || c.Inserts
	for _, r := range c.References {
		w.list(r)
	}
}

// handlers judges the event handlers of an element, but for those that wait for
// the visitor.
func (w *walker) handlers(n *html.Node) {
	for _, a := range n.Attr {
		if len(a.Key) > 2 && a.Key[:2] == "on" && !visitorEvent(a.Key[2:]) {
			_, fetches, inserts := scanScript(a.Val, true)
			w.doc.MayFetch = w.doc.MayFetch || fetches
			w.doc.Inserts = w.doc.Inserts || inserts
		}
	}
}

// visitorEvent says that an event comes from what the visitor does, or as the
// page is left.
func visitorEvent(name string) bool {
	for _, prefix := range [...]string{"mouse", "key", "touch", "pointer", "drag", "before", "copy", "cut", "paste", "select", "submit", "fullscreen", "scroll"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "click", "dblclick", "auxclick", "contextmenu", "wheel", "mousewheel", "drop", "input", "change", "reset", "blur", "invalid", "search",
		"close", "cancel", "unload", "pagehide", "afterprint", "gotpointercapture", "lostpointercapture":
		return true
	}
	return false
}

// dataScript records a script that is a data: URI, and says whether src is one.
func (w *walker) dataScript(src string, module bool) bool {
	mediaType, body, ok := w.data(src)
	if ok && RunsAsScript(mediaType, module, false) {
		w.executed(body, "data:", module)
	}
	return ok
}

// ScriptContent is what a script names and may do.
type ScriptContent struct {
	// References are the static imports of a module, and import() calls whose
	// specifier is a literal.
	References []Reference
	// MayFetch says that the script may request what References does not list
	// as fetched; false if it was not judged.
	MayFetch bool
	// Inserts says that the script inserts markup that it does not have itself:
	// what the document keeps for scripts, in a <template> for example.
	Inserts bool
}

// ReadScript reads a script at base. Without judge only the imports are read.
func ReadScript(text, base string, module bool, m ImportMap, judge bool) ScriptContent {
	imports, fetches, inserts := scanScript(text, judge)
	c := ScriptContent{MayFetch: judge && fetches, Inserts: judge && inserts}
	broken := false
	for _, imp := range imports {
		if !imp.dynamic && !module {
			continue
		}
		abs, ok := m.Resolve(imp.specifier, base)
		if !ok {
			// A module that names what cannot be resolved fails before
			// anything it imports is requested.
			broken = broken || !imp.dynamic
			continue
		}
		r := Reference{URL: abs, Type: libra.Script, Fetch: libra.Fetched, Reason: "static import", Kind: Module}
		switch {
		case imp.dynamic && imp.depth > 0:
			r.Fetch, r.Reason, r.Kind = libra.Conditional, "import() inside a function or a block", Leaf
			c.MayFetch = c.MayFetch || judge && !imp.waits
		case imp.dynamic:
			r.Reason = "import() at the top level of a script"
		}
		if imp.json {
			r.Type, r.Kind = libra.Other, Leaf
		}
		c.References = append(c.References, r)
	}
	if broken {
		return ScriptContent{} // not executed either
	}
	return c
}

// ImportMap resolves bare module specifiers. Scopes are not read.
type ImportMap struct {
	imports map[string]string // specifier to absolute URL
}

// Empty reports whether m maps nothing.
func (m ImportMap) Empty() bool { return len(m.imports) == 0 }

// add merges the JSON text of an import map; earlier entries win, as in
// browsers, and text that is no JSON is ignored.
func (m *ImportMap) add(text string, r resolver) {
	var parsed struct {
		Imports map[string]string `json:"imports"`
	}
	if json.Unmarshal([]byte(text), &parsed) != nil {
		return
	}
	for k, v := range parsed.Imports {
		if m.imports == nil {
			m.imports = map[string]string{}
		}
		if relativeSpecifier(k) {
			if abs, ok := r.resolve(k); ok {
				k = abs
			}
		}
		if abs, ok := r.resolve(v); ok && relativeSpecifier(v) {
			if _, taken := m.imports[k]; !taken {
				m.imports[k] = abs
			}
		}
	}
}

// relativeSpecifier reports whether a specifier is URL-like, not bare.
func relativeSpecifier(s string) bool {
	return weburl.HasScheme(s) || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../")
}

// Resolve returns the URL of a module specifier in a script at base.
func (m ImportMap) Resolve(specifier, base string) (string, bool) {
	key := specifier
	if relativeSpecifier(specifier) {
		abs, ok := Base{URL: base}.Resolve(specifier)
		if !ok {
			return "", false
		}
		key = abs
	}
	if to, ok := m.imports[key]; ok {
		return to, true
	}
	longest := ""
	for k := range m.imports {
		if strings.HasSuffix(k, "/") && strings.HasPrefix(key, k) && len(k) > len(longest) {
			longest = k
		}
	}
	if longest != "" {
		return Base{URL: m.imports[longest]}.Resolve(key[len(longest):])
	}
	return key, key != specifier || relativeSpecifier(specifier)
}

// keeps notes markup that only a script can show, if it loads something.
func (w *walker) keeps(text string) {
	if w.env.Scripting && !w.doc.Keeps {
		j := jsScanner{judge: true}
		j.look(text)
		w.doc.Keeps = j.fetches
	}
}
