package fetch

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// head is the head of an HTTP/1 response on its way to net/http, which refuses
// heads that browsers accept. Lines that browsers skip are skipped, and of how the
// body is sent one line is left, as Chromium reads it:
//
//	a line without colon, with an empty or invalid name    skipped
//	a control character in a value                         a space
//	Transfer-Encoding: chunked among others, or repeated   chunked
//	Transfer-Encoding without chunked                      the body is as long as it is
//	Content-Length: N, N                                   N
//	Content-Length: (empty), abc, -5, +5                   the body is as long as it is
//	a status line in lower case, without a number          HTTP/1.1 200
//	a status with more behind it: 200OK                    200
//
// What Chromium refuses is left to net/http to refuse: two lengths that differ stay as
// they are, as does CR inside a line, which Chromium takes for a line end; for a NUL
// the head gets a line with one at its end. A connection is not used again if its client could be wrong about where the body
// ends. Shown by: go test -run Oddities ./pkg/inspect/fetch
type head struct {
	out     []byte // what net/http is to read; the connection passes it on
	rest    rest   // of a line that is longer than maxLine
	before  line   // the line before
	skipped int    // bytes left out
	junk    int    // bytes before the status line

	status  int
	old     bool // HTTP/1.0, which has no Transfer-Encoding
	nul     bool // it has a NUL
	refused bool // net/http refuses the head

	encodings, lengths values
}

// rest says what becomes of the rest of a line.
type rest uint8

const (
	undecided rest = iota
	kept
	dropped
)

// line says what became of a line, for the lines that continue it.
type line uint8

const (
	noLine line = iota
	keptLine
	droppedLine
	encodingLine
	lengthLine
)

// values collects what the lines of one field say, separated by commas.
type values struct {
	said bool
	text string
}

const (
	maxSkipped = 64 << 10 // of a head; beyond, net/http gets every line
	maxValues  = 1 << 10  // of one field
	maxJunk    = 4        // bytes before a status line, as in Chromium
)

// add adds the value of another line. It reports whether there was room.
func (v *values) add(value []byte) bool {
	sep := ""
	if v.said {
		sep = ","
	}
	v.said = true
	return v.join(sep, value)
}

func (v *values) join(sep string, value []byte) bool {
	if len(v.text)+len(value) > maxValues {
		return false
	}
	v.text += sep + string(bytes.Trim(value, " \t")) // no other white space: "\vchunked" is no encoding
	return true
}

// list returns the values, in lower case.
func (v *values) list() []string {
	list := strings.Split(strings.ToLower(v.text), ",")
	for i := range list {
		list[i] = strings.Trim(list[i], " \t")
	}
	return list
}

// headBytes follows p to the end of its first line.
func (r *response) headBytes(p []byte) int {
	at := bytes.IndexByte(p, '\n')
	n := at + 1
	if at < 0 {
		n = len(p)
	}
	r.count.header.Add(int64(n))
	p = p[:n]
	r.nul = r.nul || bytes.IndexByte(p, 0) >= 0
	if r.rest == undecided {
		take := min(n, maxLine-len(r.line))
		r.line = append(r.line, p[:take]...)
		if p = p[take:]; at < 0 && len(r.line) < maxLine {
			return n
		}
		r.decide(at >= 0 && len(p) == 0)
	}
	if r.rest == dropped && r.skipped > maxSkipped {
		r.rest, r.refused = kept, true // a line without an end: net/http bounds it
	}
	if r.rest == kept {
		r.emit(p)
	} else {
		r.skipped += len(p)
	}
	if at >= 0 {
		r.line, r.rest = r.line[:0], undecided
	}
	return n
}

// flush gives net/http the beginning of a line whose end will not come.
func (r *response) flush() {
	if r.inHead() && r.rest == undecided {
		r.out = append(r.out, r.line...)
		r.line = r.line[:0]
	}
}

// decide reads r.line, the beginning of a line or the whole of it.
func (r *response) decide(whole bool) {
	switch {
	case r.skipped > maxSkipped:
		r.refused = true
		if whole && len(bytes.TrimRight(r.line, "\r\n")) == 0 {
			r.end()
			return
		}
		r.keep(r.line)
	case r.phase == statusLine:
		r.readStatus(whole)
	default:
		r.readField(whole)
	}
}

func (r *response) keep(line []byte) {
	r.rest, r.before = kept, keptLine
	r.emit(line)
}

func (r *response) drop(format string, args ...any) {
	r.rest, r.before = dropped, droppedLine
	r.skipped += len(r.line)
	r.odd(format, args...)
}

// odd records the first oddity of the response.
func (r *response) odd(format string, args ...any) {
	if r.count.odd.Load() == nil {
		text := fmt.Sprintf(format, args...)
		r.count.odd.Store(&text)
	}
}

// emit gives a piece of a line to net/http, with spaces for control characters.
func (r *response) emit(p []byte) {
	from := len(r.out)
	r.out = append(r.out, p...)
	for i, c := range r.out[from:] {
		if c < ' ' && c != '\t' && c != '\r' && c != '\n' && c != 0 || c == 0x7f {
			r.out[from+i] = ' '
			r.odd("a header line has the control character %#02x, which is read as a space", c)
		}
	}
}

// readStatus reads the status line.
func (r *response) readStatus(whole bool) {
	text := bytes.TrimRight(r.line, "\r\n")
	at := bytes.Index(bytes.ToLower(text[:min(len(text), maxJunk+4)]), []byte("http"))
	if len(text) == 0 && whole && r.junk+len(r.line) <= maxJunk {
		r.junk += len(r.line)
		r.drop("empty lines come before the status line")
		return
	}
	r.phase = headerLine
	if at < 0 || r.junk+at > maxJunk {
		r.refused = true
		r.keep(r.line)
		return
	}
	version, after, _ := bytes.Cut(text[at:], []byte(" "))
	after = bytes.TrimLeft(after, " ")
	digits := after[:len(after)-len(bytes.TrimLeft(after, "0123456789"))]
	r.status, _ = strconv.Atoi(string(digits))
	known := len(version) == len("HTTP/1.1") && version[4] == '/' && version[6] == '.'
	r.old = !known || string(version[5:]) < "1.1"
	alone := len(digits) == len(after) || after[len(digits)] == ' '
	if len(digits) > 0 && (len(digits) != 3 || alone && known && at == 0 && bytes.HasPrefix(version, []byte("HTTP"))) {
		r.keep(r.line) // net/http refuses a number that has not three digits
	} else {
		r.replaceStatus(text, len(digits) > 0)
	}
	r.before = noLine
}

// replaceStatus gives net/http the status line that Chromium reads of text.
func (r *response) replaceStatus(text []byte, numbered bool) {
	if !numbered {
		r.status = 200
	}
	line := fmt.Sprintf("HTTP/1.1 %d", r.status)
	if r.old {
		line = fmt.Sprintf("HTTP/1.0 %d", r.status)
	}
	r.drop("the status line %q is read as %q", text[:min(len(text), 80)], line)
	r.emit([]byte(line + "\r\n"))
}

// readField reads a line after the status line.
func (r *response) readField(whole bool) {
	text := bytes.TrimRight(r.line, "\r\n")
	switch {
	case len(text) == 0 && whole:
		r.end()
		return
	case len(text) > 0 && (text[0] == ' ' || text[0] == '\t'):
		r.readContinuation(text, whole)
		return
	}
	name, value, colon := bytes.Cut(text, []byte(":"))
	if trimmed := bytes.TrimRight(name, " \t"); colon && len(trimmed) < len(name) {
		r.odd("the header line %q has a space before its colon", text[:min(len(text), 80)])
		name = trimmed
	}
	switch {
	case !colon && !whole && httpguts.ValidHeaderFieldName(string(name)):
		r.keep(r.line) // a long name
	case !colon || !httpguts.ValidHeaderFieldName(string(name)):
		r.drop("the header line %q is skipped: it is not \"name: value\"", text[:min(len(text), 80)])
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		r.collect(encodingLine, whole && r.encodings.add(value))
	case bytes.EqualFold(name, []byte("Content-Length")):
		r.collect(lengthLine, whole && r.lengths.add(value))
	default:
		r.keep(name)
		r.emit(r.line[bytes.IndexByte(r.line, ':'):])
	}
}

// collect leaves a line out that end writes again. fits reports that its value was
// kept whole.
func (r *response) collect(kind line, fits bool) {
	r.refused = r.refused || !fits
	r.rest, r.before = dropped, kind
	r.skipped += len(r.line)
}

// readContinuation reads a line that continues the one before.
func (r *response) readContinuation(text []byte, whole bool) {
	switch r.before {
	case keptLine:
		r.keep(r.line)
	case encodingLine:
		r.collect(encodingLine, whole && r.encodings.join(" ", text))
	case lengthLine:
		r.collect(lengthLine, whole && r.lengths.join(" ", text))
	default:
		r.drop("the header line %q is skipped: it continues no other", text[:min(len(text), 80)])
	}
}

// end writes how the body is sent, and the end of the head.
func (r *response) end() {
	clear := r.readEncodings()
	clear = r.readLengths() && clear
	switch {
	case r.refused:
		if r.encodings.said {
			r.emit([]byte("Transfer-Encoding: " + r.encodings.text + "\r\n"))
		}
		for _, n := range r.lengths.list() {
			r.emit([]byte("Content-Length: " + n + "\r\n"))
		}
	case r.chunked:
		r.emit([]byte("Transfer-Encoding: chunked\r\n"))
	case r.length >= 0:
		r.emit(strconv.AppendInt([]byte("Content-Length: "), r.length, 10))
		r.emit([]byte("\r\n"))
	}
	if !clear {
		r.emit([]byte("Connection: close\r\n"))
	}
	if r.nul {
		r.refused = true
		r.out = append(r.out, "\x00\r\n"...) // whichever line had it
	}
	r.emit([]byte("\r\n"))
	r.bodyBegins()
}

// readEncodings decides whether the body is sent in chunks, and reports whether the
// head is clear about it.
func (r *response) readEncodings() bool {
	if !r.encodings.said || r.old {
		return true
	}
	list := r.encodings.list()
	r.chunked = slices.Contains(list, "chunked")
	if len(list) == 1 && r.chunked {
		return true
	}
	as := "as no encoding"
	if r.chunked {
		as = "as chunked"
	}
	r.odd("Transfer-Encoding %.80q is read %s", r.encodings.text, as)
	return false
}

// readLengths decides how long a body is that is not sent in chunks, and reports
// whether the head is clear about it.
func (r *response) readLengths() bool {
	list := r.lengths.list()
	n, err := strconv.ParseUint(list[0], 10, 63)
	switch {
	case !r.lengths.said:
		return true
	case r.chunked:
		r.odd("Content-Length %.80q is ignored: the body is sent in chunks", r.lengths.text)
		return false
	case slices.ContainsFunc(list, func(s string) bool { return s != list[0] }):
		r.refused = true
		return false
	case err != nil:
		r.odd("Content-Length %.80q is ignored: it is not a number", r.lengths.text)
		return false
	}
	r.length = int64(n)
	if len(list) > 1 {
		r.odd("Content-Length %.80q is read as %d", r.lengths.text, n)
	}
	return len(list) == 1
}
