package cli

import (
	"os"
	"regexp"
	"strings"
)

// assignment is NAME=VALUE of an EnvironmentFile=, or what systemd ignores of it.
type assignment struct {
	number      int // of its first line, from 1
	name, value string
	// ignored is why systemd ignores it, without its value, which may be a secret, and
	// remedy what to do; "" where it does not.
	ignored, remedy string
}

// environmentName is what systemd takes for the name of a variable.
var environmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readEnvironmentFile reads a file as systemd reads an EnvironmentFile=: a backslash
// continues a line, quotes hold several, and a comment may be continued, too
// (systemd.exec(5), EnvironmentFile=).
func readEnvironmentFile(file string) (list []assignment, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := envScanner{text: string(text), line: 1}
	for {
		if s.skipBlanks(); s.text == "" {
			return list, nil
		}
		a := assignment{number: s.line}
		if s.text[0] == '#' || s.text[0] == ';' {
			for s.comment() { // systemd before 254 takes the next line for a part of it
				a := assignment{
					number: s.line, ignored: `the comment above it ends with \ (systemd 254 and later read it)`,
					remedy: `remove the \ at the end of the comment`,
				}
				if next := strings.TrimSpace(s.peekLine()); next != "" && next[0] != '#' && next[0] != ';' {
					list = append(list, a)
				}
			}
			continue
		}
		name, found := s.name()
		a.name = strings.TrimSpace(name)
		if found {
			a.value = s.value()
		}
		a.ignored = refusal(a.name, found)
		if a.ignored != "" {
			a.remedy = "write NAME=VALUE, without export, or remove the line"
		}
		list = append(list, a)
	}
}

// refusal is why systemd ignores a name; "" where it does not.
func refusal(name string, found bool) string {
	shown, exported := strings.CutPrefix(name, "export ")
	switch {
	case !found:
		return "it has no ="
	case environmentName.MatchString(name):
		return ""
	case exported && environmentName.MatchString(shown):
		return `invalid name "` + name + `"`
	}
	return "invalid name before ="
}

// envScanner walks through the text of a file of variables.
type envScanner struct {
	text string // what is left
	line int    // of its first byte
}

// next takes a byte; ok is false at the end.
func (s *envScanner) next() (c byte, ok bool) {
	if s.text == "" {
		return 0, false
	}
	c, s.text = s.text[0], s.text[1:]
	if c == '\n' {
		s.line++
	}
	return c, true
}

func endsLine(c byte) bool { return c == '\n' || c == '\r' }

func (s *envScanner) skipBlanks() {
	for s.text != "" && strings.IndexByte(" \t\r\n", s.text[0]) >= 0 {
		s.next()
	}
}

func (s *envScanner) peekLine() string {
	line, _, _ := strings.Cut(s.text, "\n")
	return line
}

// comment takes a line of a comment, and reports whether a backslash stands right
// before its end.
func (s *envScanner) comment() (continued bool) {
	escaped := false
	for c, ok := s.next(); ok; c, ok = s.next() {
		if endsLine(c) {
			return escaped && s.text != ""
		}
		escaped = c == '\\' && !escaped
	}
	return false
}

// name takes what stands before = in a line; found is false without one.
func (s *envScanner) name() (name string, found bool) {
	var b strings.Builder
	for c, ok := s.next(); ok && !endsLine(c); c, ok = s.next() {
		if c == '=' {
			return b.String(), true
		}
		b.WriteByte(c)
	}
	return b.String(), false
}

// value takes a value to the end of its last line.
func (s *envScanner) value() string {
	var b strings.Builder
	kept := 0       // so much of b is no space at its end
	inWord := false // a quote within a word is a part of it
	write := func(c byte) { b.WriteByte(c) }
	for c, ok := s.next(); ok && !endsLine(c); c, ok = s.next() {
		switch {
		case c == '\\':
			if c, ok = s.next(); ok && !endsLine(c) {
				write(c)
			}
			inWord, kept = true, b.Len()
		case !inWord && c == '\'':
			for c, ok = s.next(); ok && c != '\''; c, ok = s.next() {
				write(c)
			}
			kept = b.Len()
		case !inWord && c == '"':
			s.doubleQuoted(write)
			kept = b.Len()
		case c != ' ' && c != '\t':
			write(c)
			inWord, kept = true, b.Len()
		case inWord:
			write(c)
		}
	}
	return b.String()[:kept]
}

// doubleQuoted takes what stands between double quotes: a backslash escapes what a
// shell would read there, and the end of a line.
func (s *envScanner) doubleQuoted(write func(c byte)) {
	for c, ok := s.next(); ok && c != '"'; c, ok = s.next() {
		if c != '\\' {
			write(c)
			continue
		}
		switch c, ok = s.next(); {
		case !ok, c == '\n':
		case strings.IndexByte("\"\\`$", c) >= 0:
			write(c)
		default:
			write('\\')
			write(c)
		}
	}
}
