package markup

import (
	"encoding/json"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// javaScript holds the MIME types that browsers run.
var javaScript = map[string]bool{
	"application/ecmascript": true, "application/javascript": true, "application/x-ecmascript": true, "application/x-javascript": true,
	"text/ecmascript": true, "text/javascript": true, "text/javascript1.0": true, "text/javascript1.1": true, "text/javascript1.2": true,
	"text/javascript1.3": true, "text/javascript1.4": true, "text/javascript1.5": true, "text/jscript": true, "text/livescript": true,
	"text/x-ecmascript": true, "text/x-javascript": true,
}

// IsJavaScript reports whether browsers run a module of this media type.
func IsJavaScript(mediaType string) bool { return javaScript[mediaType] }

// script visits an HTML <script>.
func (w *walker) script(n *html.Node) {
	w.anyScript(n, attr(n, "src"), has(n, "src"))
}

func (w *walker) svgScript(n *html.Node) {
	href := svgHref(n)
	w.anyScript(n, href, href != "")
}

func (w *walker) anyScript(n *html.Node, src string, external bool) {
	t := strings.ToLower(strings.Trim(attr(n, "type"), space))
	if t == "" && attr(n, "type") == "" && attr(n, "language") != "" {
		t = "text/" + strings.ToLower(attr(n, "language"))
	}
	// White space around these names is not forgiven.
	kind := strings.ToLower(attr(n, "type"))
	module := kind == "module"
	switch {
	case kind == "speculationrules":
		if w.env.Scripting && !external {
			w.speculation(n)
		}
	case kind == "importmap":
		if w.env.Scripting && !external {
			w.doc.ImportMap.add(textOf(n), w.resolver)
		}
	case t != "" && !module && !javaScript[t]:
		if external {
			w.unused(n, src, libra.Script, "script of a type that is not run")
		}
	case !w.env.Scripting && !w.env.Scriptless:
		if external {
			w.unused(n, src, libra.Script, "script, and scripting is off")
		}
	case !module && has(n, "nomodule"):
		w.unused(n, src, libra.Script, "nomodule script, for browsers without modules")
	case w.env.Scriptless:
		if external {
			w.add(src, Reference{Type: libra.Script, Fetch: libra.Fetched, Reason: "script, fetched although its sandbox does not let it run"})
		}
	case external && w.dataScript(src, module):
	case external && module:
		w.add(src, Reference{Type: libra.Script, Fetch: libra.Fetched, Reason: "module script", Kind: Module, Integrity: strings.Clone(attr(n, "integrity"))})
	case external:
		w.add(src, Reference{Type: libra.Script, Fetch: libra.Fetched, Reason: "script", Kind: Script})
	default:
		w.inlineScript(n, module)
	}
}

// inlineScript records the imports of a script in the document.
func (w *walker) inlineScript(n *html.Node, module bool) {
	base := w.resolver.base.String()
	for _, r := range ScriptReferences(textOf(n), base, module, w.doc.ImportMap) {
		w.list(r)
	}
}

// dataScript records the imports of a script that is a data: URI.
func (w *walker) dataScript(src string, module bool) bool {
	mediaType, body, ok := w.data(src)
	if !ok || !javaScript[mediaType] {
		return false
	}
	for _, r := range ScriptReferences(body, "data:", module, w.doc.ImportMap) {
		w.list(r)
	}
	return true
}

// ScriptReferences lists what a script at base imports: the static imports of
// a module, and import() calls whose specifier is a literal.
func ScriptReferences(text, base string, module bool, m ImportMap) []Reference {
	var refs []Reference
	broken := false
	for _, imp := range scanImports(text) {
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
		case imp.dynamic:
			r.Reason = "import() at the top level of a script"
		}
		if imp.json {
			r.Type, r.Kind = libra.Other, Leaf
		}
		refs = append(refs, r)
	}
	if broken {
		return nil
	}
	return refs
}

// ImportMap resolves bare module specifiers. Scopes are not read.
type ImportMap struct {
	imports map[string]string // specifier to absolute URL
}

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
		abs, ok := Resolve(base, specifier)
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
		return Resolve(m.imports[longest], key[len(longest):])
	}
	return key, key != specifier || relativeSpecifier(specifier)
}
