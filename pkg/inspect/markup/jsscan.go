package markup

import "strings"

// moduleImport is one import found in a script.
type moduleImport struct {
	specifier string
	dynamic   bool
	json      bool // with { type: "json" }
	depth     int  // braces around it
	waits     bool // for what the visitor does
}

// jsScanner reads JavaScript just far enough to find imports, and what makes
// requests (jsfetch.go): it skips comments and regular expressions, and looks
// into strings and templates for markup only.
type jsScanner struct {
	s       string
	i       int
	depth   int
	prev    string // the previous significant token, "" at the start
	last    string // the last word
	lead    string // the token before the last word
	object  string // the word before the last dot or bracket, "" for none
	found   []moduleImport
	judge   bool // look for what makes requests
	nested  bool // s is a string that a script executes
	fetches bool // it was found
	inserts bool // so was what inserts markup from elsewhere
	// conds has a bit for each open bracket, the innermost the lowest: it holds the
	// condition of if, while, for or with. cond says that of the last one closed.
	conds uint64
	cond  bool
	lost  int // strings without an end: the scanner has taken code for text
	// arrow means that the current import is the body of an arrow function.
	arrow bool
	// templates holds the brace depth at which each open ${ ends.
	templates []int
}

// scanScript lists the imports of a script in order and, with judge, says
// whether something in it makes requests.
func scanScript(s string, judge bool) (imports []moduleImport, fetches, inserts bool) {
	imported := strings.Contains(s, "import") || strings.Contains(s, "export")
	j := jsScanner{s: s, judge: judge && !isLibrary(s)}
	for j.i < len(j.s) && (imported || j.judge && !j.fetches) {
		j.step()
	}
	return j.found, j.fetches, j.inserts
}

// step reads one token.
func (j *jsScanner) step() {
	c := j.s[j.i]
	switch {
	case c <= ' ':
		j.i++
	case isIdent(c):
		j.word()
	case c == '"' || c == '\'':
		j.text()
	case c == '/':
		j.slash()
	case c == '.' || c == '[':
		j.object = ""
		if j.prev != "" && isIdent(j.prev[0]) {
			j.object = j.last
		}
		j.token(1)
	case c == '{':
		j.depth++
		j.token(1)
	case c == '}':
		j.depth = max(j.depth-1, 0)
		j.token(1)
		if n := len(j.templates); n > 0 && j.templates[n-1] == j.depth {
			j.templates = j.templates[:n-1]
			j.template()
		}
	case c == '`':
		j.i++
		j.template()
	case c == '(':
		j.conds <<= 1
		switch j.prev {
		case "if", "while", "for", "with":
			j.conds |= 1
		}
		j.token(1)
	case c == ')':
		j.cond, j.conds = j.conds&1 == 1, j.conds>>1
		j.token(1)
	case c == '<' && strings.HasPrefix(j.s[j.i:], "<!--"):
		j.skipPast("\n")
	case c == '=' && strings.HasPrefix(j.s[j.i:], "=>"):
		j.token(2)
	default:
		j.token(1)
	}
}

// token reads a token of n bytes.
func (j *jsScanner) token(n int) {
	j.prev = j.s[j.i : j.i+n]
	j.i += n
}

// slash reads a comment, a regular expression, or a division.
func (j *jsScanner) slash() {
	switch {
	case strings.HasPrefix(j.s[j.i:], "//"):
		j.skipPast("\n")
	case strings.HasPrefix(j.s[j.i:], "/*"):
		j.i += 2
		j.skipPast("*/")
	case j.regexAllowed():
		j.regex()
		j.prev = `"`
	default:
		j.token(1)
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
func (j *jsScanner) str() string { return unescapeJS(j.quoted()) }

// quoted reads a string literal and returns what is between its quotes, ""
// where it has no end.
func (j *jsScanner) quoted() string {
	start := j.i
	quote := j.s[start]
	for j.i++; j.i < len(j.s); j.i++ {
		switch j.s[j.i] {
		case '\\':
			j.i++
		case quote:
			j.i++
			return j.s[start+1 : j.i-1]
		case '\n':
			if quote != '`' {
				j.resume(start)
				return ""
			}
		}
	}
	j.resume(start)
	return ""
}

// maxLost bounds how often a scanner resumes, as each takes a look at the rest
// of the line.
const maxLost = 16

// resume continues after the character at start, which opens what has no end on
// its line: the scanner has taken a division for a regular expression, or the
// other way round.
func (j *jsScanner) resume(start int) {
	if j.lost++; j.lost > maxLost {
		j.i = min(j.i, len(j.s)) // a backslash at the end leads past it
		j.fetches = true         // not known
		return
	}
	j.i = start + 1
}

// text reads a string literal of which only markup matters, and what is in
// brackets, which is a property's name.
func (j *jsScanner) text() {
	before, object := j.prev, j.object
	text := j.quoted()
	j.prev = `"`
	if !j.judge || j.fetches || text == "" {
		return
	}
	if before == "[" && j.nextIs(']') {
		at := j.i
		j.i = j.after(j.i) + 1
		j.property(text, object)
		j.i = at
	}
	switch text {
	case "src", "srcset", "poster":
		j.key(before)
	}
	j.look(text)
}

// template reads a template literal up to its end or to the next ${.
func (j *jsScanner) template() {
	start := j.i
	for ; j.i < len(j.s); j.i++ {
		switch j.s[j.i] {
		case '\\':
			j.i++
		case '`':
			j.look(j.s[start:j.i])
			j.i, j.prev = j.i+1, `"`
			return
		case '$':
			if strings.HasPrefix(j.s[j.i:], "${") {
				j.look(j.s[start:j.i])
				j.templates = append(j.templates, j.depth)
				j.depth++
				j.i, j.prev = j.i+2, "{"
				return
			}
		}
	}
	j.i, j.fetches = len(j.s), true // not known: the scanner is lost
}

// regexAllowed decides by the previous token whether a slash divides or opens
// a regular expression.
func (j *jsScanner) regexAllowed() bool {
	switch j.prev {
	case "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "instanceof", "await", "yield":
		return true
	case "", "}":
		return true
	case ")":
		return j.cond // the condition of a statement that a regular expression begins
	case "]", `"`:
		return false
	}
	return !isIdent(j.prev[0])
}

func (j *jsScanner) regex() {
	start, class := j.i, false
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
			j.resume(start)
			return
		}
	}
	j.resume(start)
}

func isIdent(c byte) bool { return identifier[c] }

// identifier holds the bytes of identifiers and numbers.
var identifier = func() (table [256]bool) {
	for c := range table {
		table[c] = c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
	}
	return table
}()

// word reads an identifier and looks after import and export, and after what
// makes requests.
func (j *jsScanner) word() {
	end := j.i + 1
	for end < len(j.s) && identifier[j.s[end]] {
		end++
	}
	word, before := j.s[j.i:end], j.prev
	if before == "(" && takesFunction(j.last) {
		before = "=" // it is kept
	}
	j.i = end
	j.prev, j.last = word, word
	if before == "." {
		if j.judge && !j.fetches {
			j.property(word, j.object)
		}
		j.prev, j.lead = "x", before // a property, whatever its name
		return
	}
	j.lead = before
	if j.judge && !j.fetches {
		j.name(word, before)
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
		j.i, j.conds = j.i+1, j.conds<<1
		j.blank()
		if j.i < len(j.s) && (j.s[j.i] == '"' || j.s[j.i] == '\'' || j.s[j.i] == '`') {
			j.call()
			return
		}
		j.prev, j.fetches = "(", true
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
			j.prev, j.fetches = "(", true
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
		return
	}
	j.fetches = true
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
