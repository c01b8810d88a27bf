package markup

import (
	"strconv"
	"strings"
	"unicode/utf16"
)

// code judges the text at i, the first argument of setTimeout and the like, as what
// stands in its place. Of what is put together the strings up to the first other
// thing are known.
func (j *jsScanner) code(i int) {
	text, _, _ := j.joined(i)
	j.execute(text, j.depth)
}

// codeOfFunction judges the body of a function, the last of the arguments at i.
func (j *jsScanner) codeOfFunction(i int) {
	body := ""
	for {
		text, end, ok := j.joined(i)
		if !ok {
			for end < len(j.s) && (isIdent(j.s[end]) || j.s[end] == '.') {
				end++
			}
			text = ""
		}
		body, i = text, j.after(end)
		if i >= len(j.s) || j.s[i] != ',' {
			break
		}
	}
	j.execute(body, j.depth+1)
}

// execute judges a text that is executed, with as many braces around it.
func (j *jsScanner) execute(text string, depth int) {
	if text == "" || j.fetches || j.nested {
		return
	}
	in := jsScanner{s: unescapeJS(text), judge: true, nested: true, depth: depth}
	for in.i < len(in.s) && !in.fetches {
		in.step()
	}
	j.fetches, j.inserts = in.fetches, j.inserts || in.inserts
	for _, imp := range in.found {
		j.fetches = j.fetches || imp.dynamic && !imp.waits
	}
}

// joined is the text of the strings at i that + joins, and the place behind the last
// of them; ok is false where something else is there.
func (j *jsScanner) joined(i int) (text string, end int, ok bool) {
	text, end, ok = j.literal(i)
	if !ok {
		return text, end, ok
	}
	pieces := []string{text}
	for {
		plus := j.after(end)
		if plus >= len(j.s) || j.s[plus] != '+' {
			break
		}
		piece, after, more := j.literal(plus)
		if !more {
			break
		}
		pieces, end = append(pieces, piece), after
	}
	return strings.Join(pieces, ""), end, true
}

// literal is the string at i, after = or ( or :, with its escapes, and the place
// behind it; ok is false where something else is there, at end.
func (j *jsScanner) literal(i int) (text string, end int, ok bool) {
	for i < len(j.s) && (j.s[i] <= ' ' || strings.IndexByte("=(+:,", j.s[i]) >= 0) {
		i++
	}
	if i >= len(j.s) || j.s[i] != '"' && j.s[i] != '\'' && j.s[i] != '`' {
		return "", i, false
	}
	at := jsScanner{s: j.s, i: i}
	start := i + 1
	at.quoted()
	if at.i <= start || at.s[at.i-1] != j.s[i] || j.s[i] == '`' && strings.Contains(j.s[start:at.i], "${") {
		return "", i, false
	}
	return j.s[start : at.i-1], at.i, true
}

// argument is literal's text.
func (j *jsScanner) argument(i int) string {
	text, _, _ := j.literal(i)
	return text
}

// unescapeJS undoes the escapes of a string literal; it returns "" where one is
// invalid, with which no script runs.
func unescapeJS(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw))
	for {
		at := strings.IndexByte(raw, '\\')
		if at < 0 || at+1 >= len(raw) {
			b.WriteString(raw)
			return b.String()
		}
		b.WriteString(raw[:at])
		value, n := unescape(raw[at+1:])
		if n == 0 {
			return ""
		}
		b.WriteString(value)
		raw = raw[at+1+n:]
	}
}

// unescape is the value of the escape whose backslash is in front of s, and how many
// bytes of s belong to it, 0 if it is invalid.
func unescape(s string) (value string, n int) {
	switch c := s[0]; c {
	case 'x':
		return hexEscape(s, 1, 3)
	case 'u':
		if strings.HasPrefix(s, "u{") {
			value, n = hexEscape(s, 2, strings.IndexByte(s, '}'))
			return value, min(n, 1) * (n + 1)
		}
		if first, n := codeUnit(s); n > 0 && utf16.IsSurrogate(first) && len(s) > n && s[n] == '\\' {
			if second, m := codeUnit(s[n+1:]); m > 0 && utf16.IsSurrogate(second) {
				return string(utf16.DecodeRune(first, second)), n + 1 + m
			}
		}
		return hexEscape(s, 1, 5)
	case '\n':
		return "", 1
	case '\r':
		return "", 1 + len(s[1:]) - len(strings.TrimPrefix(s[1:], "\n"))
	}
	if at := strings.IndexByte("nrtbfv", s[0]); at >= 0 {
		return "\n\r\t\b\f\v"[at : at+1], 1
	}
	for n < min(len(s), 3) && s[n] >= '0' && s[n] <= '7' {
		n++
	}
	if n == 3 && s[0] > '3' {
		n = 2
	}
	if n > 0 {
		octal, _ := strconv.ParseUint(s[:n], 8, 8)
		return string(rune(octal)), n
	}
	return s[:1], 1
}

// codeUnit is the code unit that uXXXX at the start of s stands for; n is 0 where
// something else is there.
func codeUnit(s string) (unit rune, n int) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, 0
	}
	v, err := strconv.ParseUint(s[1:5], 16, 16)
	if err != nil {
		return 0, 0
	}
	return rune(v), 5
}

// hexEscape is the character whose number is s[from:to]; n is to, or 0 where there is
// no number.
func hexEscape(s string, from, to int) (value string, n int) {
	if to <= from || to > len(s) {
		return "", 0
	}
	v, err := strconv.ParseUint(s[from:to], 16, 32)
	if err != nil || v > 0x10ffff {
		return "", 0
	}
	return string(rune(v)), to
}
