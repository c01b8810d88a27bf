package markup

import (
	"strconv"
	"strings"
)

// moduleImport is one import found in a script.
type moduleImport struct {
	specifier string
	dynamic   bool
	json      bool // with { type: "json" }
	depth     int  // braces around it
}

// jsScanner reads JavaScript just far enough to find imports: it skips
// comments, strings, templates and regular expressions.
type jsScanner struct {
	s     string
	i     int
	depth int
	prev  string // the previous significant token, "" at the start
	found []moduleImport
	// arrow means that the current import is the body of an arrow function.
	arrow bool
	// templates holds the brace depth at which each open ${ ends.
	templates []int
}

// scanImports lists the imports of a script in order.
func scanImports(s string) []moduleImport {
	if !strings.Contains(s, "import") && !strings.Contains(s, "export") {
		return nil
	}
	j := jsScanner{s: s}
	for j.i < len(j.s) {
		j.step()
	}
	return j.found
}

// step reads one token.
func (j *jsScanner) step() {
	c := j.s[j.i]
	switch {
	case c <= ' ':
		j.i++
	case strings.HasPrefix(j.s[j.i:], "//"):
		j.skipPast("\n")
	case strings.HasPrefix(j.s[j.i:], "/*"):
		j.i += 2
		j.skipPast("*/")
	case c == '"' || c == '\'':
		j.str()
		j.prev = `"`
	case c == '`':
		j.i++
		j.template()
	case c == '/' && j.regexAllowed():
		j.regex()
		j.prev = `"`
	case isIdent(c):
		j.word()
	case strings.HasPrefix(j.s[j.i:], "=>"):
		j.i, j.prev = j.i+2, "=>"
	case c == '{':
		j.depth++
		j.i, j.prev = j.i+1, "{"
	case c == '}':
		j.depth = max(j.depth-1, 0)
		j.i, j.prev = j.i+1, "}"
		if n := len(j.templates); n > 0 && j.templates[n-1] == j.depth {
			j.templates = j.templates[:n-1]
			j.template()
		}
	default:
		j.i, j.prev = j.i+1, string(c)
	}
}

func (j *jsScanner) skipPast(end string) {
	k := strings.Index(j.s[j.i:], end)
	if k < 0 {
		j.i = len(j.s)
		return
	}
	j.i += k + len(end)
}

// str reads a string literal and returns its value with simple escapes undone.
func (j *jsScanner) str() string {
	quote := j.s[j.i]
	start := j.i + 1
	for j.i++; j.i < len(j.s); j.i++ {
		switch j.s[j.i] {
		case '\\':
			j.i++
		case quote:
			raw := j.s[start:j.i]
			j.i++
			return unescapeJS(raw)
		case '\n':
			return ""
		}
	}
	j.i = len(j.s)
	return ""
}

// unescapeJS undoes the escapes of a string literal that URLs carry.
func unescapeJS(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw
	}
	if s, err := strconv.Unquote(`"` + strings.NewReplacer(`\/`, "/", `\'`, "'", `"`, `\"`).Replace(raw) + `"`); err == nil {
		return s
	}
	return ""
}

// template reads a template literal up to its end or to the next ${.
func (j *jsScanner) template() {
	for ; j.i < len(j.s); j.i++ {
		switch j.s[j.i] {
		case '\\':
			j.i++
		case '`':
			j.i, j.prev = j.i+1, `"`
			return
		case '$':
			if strings.HasPrefix(j.s[j.i:], "${") {
				j.templates = append(j.templates, j.depth)
				j.depth++
				j.i, j.prev = j.i+2, "{"
				return
			}
		}
	}
	j.i = len(j.s)
}

// regexAllowed decides by the previous token whether a slash divides or opens
// a regular expression.
func (j *jsScanner) regexAllowed() bool {
	switch j.prev {
	case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof", "await", "yield":
		return true
	case "", "}":
		return true
	case ")", "]", `"`:
		return false
	}
	return !isIdent(j.prev[0])
}

func (j *jsScanner) regex() {
	class := false
	for j.i++; j.i < len(j.s); j.i++ {
		switch c := j.s[j.i]; {
		case c == '\\':
			j.i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			j.i++
			return
		case c == '\n':
			return
		}
	}
	j.i = len(j.s)
}

func isIdent(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// word reads an identifier and looks after import and export.
func (j *jsScanner) word() {
	start := j.i
	for j.i < len(j.s) && isIdent(j.s[j.i]) {
		j.i++
	}
	word, before := j.s[start:j.i], j.prev
	j.prev = word
	if before == "." {
		j.prev = "x" // a property, whatever its name
		return
	}
	switch word {
	case "import":
		j.arrow = before == "=>"
		j.importAt()
	case "from":
		if before == "}" || before == "*" || before != "" && isIdent(before[0]) {
			j.from()
		}
	}
}

// importAt reads what follows the word import: a call, or a module name.
func (j *jsScanner) importAt() {
	at := j.i
	j.blank()
	if j.i >= len(j.s) {
		return
	}
	switch j.s[j.i] {
	case '"', '\'':
		j.add(moduleImport{specifier: j.str(), json: j.jsonAttribute(), depth: j.depth})
		j.prev = `"`
	case '(':
		j.i++
		j.blank()
		if j.i < len(j.s) && (j.s[j.i] == '"' || j.s[j.i] == '\'' || j.s[j.i] == '`') {
			j.call()
			return
		}
		j.prev = "("
	default:
		j.i = at
	}
}

// call reads the literal of import("…"); anything but its end or options
// after the literal makes it no literal.
func (j *jsScanner) call() {
	specifier := ""
	if j.s[j.i] == '`' {
		end := strings.IndexByte(j.s[j.i+1:], '`')
		if end < 0 || strings.ContainsAny(j.s[j.i+1:j.i+1+end], `$\`) {
			j.prev = "("
			return
		}
		specifier = j.s[j.i+1 : j.i+1+end]
		j.i += end + 2
	} else {
		specifier = j.str()
	}
	j.prev = `"`
	json := j.jsonAttribute()
	j.blank()
	if j.i < len(j.s) && (j.s[j.i] == ')' || j.s[j.i] == ',') {
		j.add(moduleImport{specifier: specifier, dynamic: true, json: json, depth: j.depth})
	}
}

// from reads the literal after import … from and export … from.
func (j *jsScanner) from() {
	at := j.i
	j.blank()
	if j.i < len(j.s) && (j.s[j.i] == '"' || j.s[j.i] == '\'') {
		j.add(moduleImport{specifier: j.str(), json: j.jsonAttribute(), depth: j.depth})
		j.prev = `"`
		return
	}
	j.i = at
}

// jsonAttribute looks ahead for with { type: "json" } without moving.
func (j *jsScanner) jsonAttribute() bool {
	ahead := j.s[j.i:min(len(j.s), j.i+80)]
	stop := strings.IndexAny(ahead, ";\n")
	if stop >= 0 {
		ahead = ahead[:stop]
	}
	return strings.Contains(ahead, "type") && (strings.Contains(ahead, `"json"`) || strings.Contains(ahead, "'json'"))
}

func (j *jsScanner) add(m moduleImport) {
	if m.dynamic && j.arrow {
		m.depth++
	}
	if m.specifier != "" {
		j.found = append(j.found, m)
	}
}

// blank skips white space and comments.
func (j *jsScanner) blank() {
	for j.i < len(j.s) {
		switch {
		case j.s[j.i] <= ' ':
			j.i++
		case strings.HasPrefix(j.s[j.i:], "//"):
			j.skipPast("\n")
		case strings.HasPrefix(j.s[j.i:], "/*"):
			j.i += 2
			j.skipPast("*/")
		default:
			return
		}
	}
}
