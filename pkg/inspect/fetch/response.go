package fetch

import (
	"bytes"
	"math"
	"strconv"
)

// response follows an HTTP/1 response as it is received, line by line to the end
// of its head and by its announced length from there (RFC 9112, section 6). It
// counts the head to the byte, and finds where the response ends, so that net/http
// never reads a byte that belongs to no request. net/http alone decides whether a
// response is valid: where a head is ambiguous, the end counts as not announced.
//
// The zero value expects no response. Each line of a head passes through headLine
// before net/http reads it.
type response struct {
	count *tally
	phase phase
	line  []byte // the beginning of the current line; at most maxLine bytes

	status  int
	old     bool  // HTTP/1.0, which has no Transfer-Encoding
	unclear bool  // Transfer-Encoding is not chunked, or a folded line may say so
	chunked bool  // Transfer-Encoding is chunked
	length  int64 // Content-Length; -1 for none
	left    int64 // bytes of the body or chunk not yet received
}

// phase is a part of a response.
type phase uint8

const (
	ended phase = iota
	statusLine
	headerLine
	fixedBody
	openBody
	chunkSize
	chunkData
	trailerLine
)

// maxLine bounds what is kept of a line. It holds every field that is read.
const maxLine = 128

// begin expects a response and counts it in t.
func (r *response) begin(t *tally) {
	*r = response{count: t, phase: statusLine, line: r.line[:0], length: -1}
}

// done reports that the response is complete, or that none is expected.
func (r *response) done() bool { return r.phase == ended }

// read follows p and returns how many of its bytes belong to the response.
func (r *response) read(p []byte) int {
	if r.done() {
		return 0
	}
	total := len(p)
	for len(p) > 0 && !r.done() {
		var n int
		switch r.phase {
		case openBody:
			n = len(p)
		case fixedBody, chunkData:
			n = r.body(p)
		default:
			n = r.lines(p)
		}
		p = p[n:]
	}
	r.count.raw.Add(int64(total - len(p)))
	return total - len(p)
}

// body follows a body of known length, or a chunk with the line end behind it.
func (r *response) body(p []byte) int {
	n := int(min(int64(len(p)), r.left))
	r.left -= int64(n)
	switch {
	case r.left > 0:
	case r.phase == chunkData:
		r.phase = chunkSize
	default:
		r.phase = ended
	}
	return n
}

// lines follows p to the end of its first line.
func (r *response) lines(p []byte) int {
	at := bytes.IndexByte(p, '\n')
	n := at + 1
	if at < 0 {
		n = len(p)
	}
	if r.phase == statusLine || r.phase == headerLine {
		r.count.header.Add(int64(n))
	}
	r.line = append(r.line, p[:min(n, maxLine-len(r.line))]...)
	if at >= 0 {
		line := r.line
		r.line = r.line[:0]
		r.whole(bytes.TrimRight(line, "\r\n"), len(line) == maxLine)
	}
	return n
}

// whole reads a line without its line end; cut reports that the line is longer.
func (r *response) whole(line []byte, cut bool) {
	switch r.phase {
	case statusLine:
		r.old = bytes.HasPrefix(line, []byte("HTTP/1.0")) || bytes.HasPrefix(line, []byte("HTTP/0."))
		_, rest, _ := bytes.Cut(line, []byte(" "))
		status, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
		r.status, _ = strconv.Atoi(string(status)) // 0 where net/http refuses it
		r.phase = headerLine
	case headerLine:
		r.headLine(line, cut)
	case chunkSize:
		digits, _, extended := bytes.Cut(line, []byte(";"))
		size, err := strconv.ParseInt(string(bytes.TrimSpace(digits)), 16, 64)
		switch {
		case err != nil || size < 0 || size > math.MaxInt64/2 || cut && !extended:
			r.phase = openBody
		case size == 0:
			r.phase = trailerLine
		default:
			r.phase, r.left = chunkData, size+int64(len("\r\n"))
		}
	case trailerLine:
		if len(line) == 0 {
			r.phase = ended
		}
	}
}

// headLine reads a line after the status line. A folded line needs no care: the
// value of a field that ends a response is one word, and net/http refuses more.
func (r *response) headLine(line []byte, cut bool) {
	if len(line) == 0 {
		r.headDone()
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Transfer-Encoding")) && !r.old:
		r.chunked = bytes.EqualFold(value, []byte("chunked"))
		r.unclear = r.unclear || !r.chunked
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || cut {
			n = -1
		}
		r.length = n // net/http refuses two lengths that differ
	}
}

// headDone decides by the head where the response ends.
func (r *response) headDone() {
	switch {
	case r.status >= 100 && r.status < 200 && r.status != 101:
		r.begin(r.count) // an interim response: the head of another follows
	case r.status == 204 || r.status == 304:
		r.phase = ended
	case r.unclear || r.status < 200:
		r.phase = openBody
	case r.chunked: // whatever Content-Length says
		r.phase = chunkSize
	case r.length > 0:
		r.phase, r.left = fixedBody, r.length
	case r.length == 0:
		r.phase = ended
	default:
		r.phase = openBody
	}
}
