package fetch

import (
	"bytes"
	"math"
	"strconv"
)

// response follows an HTTP/1 response as it is received, line by line to the end
// of its head and by its announced length from there (RFC 9112, section 6). It
// counts the head to the byte, and finds where the response ends, so that net/http
// never reads a byte that belongs to no request. The head passes through it, see
// head.go; what is behind the head, net/http reads as it was sent.
//
// The zero value expects no response.
type response struct {
	count *tally
	phase phase
	line  []byte // the beginning of the current line; at most maxLine bytes

	head
	chunked bool  // the body is sent in chunks
	length  int64 // its Content-Length; -1 for none
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

// maxLine bounds what is kept of a line. It holds every field that is read, and
// the name of every field.
const maxLine = 128

// begin expects a response and counts it in t.
func (r *response) begin(t *tally) {
	*r = response{count: t, phase: statusLine, line: r.line[:0], length: -1, head: head{out: r.out}}
}

// done reports that the response is complete, or that none is expected.
func (r *response) done() bool { return r.phase == ended }

// inHead reports that what is received next belongs to a head.
func (r *response) inHead() bool { return r.phase == statusLine || r.phase == headerLine }

// read follows p and returns how many of its bytes belong to the response. If p
// begins in a head, what net/http is to read of it is in r.out; otherwise that is
// those bytes.
func (r *response) read(p []byte) int {
	if r.done() {
		return 0
	}
	total, copied := len(p), r.inHead()
	for len(p) > 0 && !r.done() {
		var n int
		inHead := r.inHead()
		switch r.phase {
		case openBody:
			n = len(p)
		case fixedBody, chunkData:
			n = r.body(p)
		case statusLine, headerLine:
			n = r.headBytes(p)
		default:
			n = r.lines(p)
		}
		if copied && !inHead {
			r.out = append(r.out, p[:n]...)
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

// lines follows p to the end of its first line: of a chunk's size, or a trailer.
func (r *response) lines(p []byte) int {
	at := bytes.IndexByte(p, '\n')
	n := at + 1
	if at < 0 {
		n = len(p)
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
	if r.phase == trailerLine {
		if len(line) == 0 {
			r.phase = ended
		}
		return
	}
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
}

// bodyBegins decides by the head where the response ends.
func (r *response) bodyBegins() {
	switch {
	case r.status >= 100 && r.status < 200 && r.status != 101:
		r.begin(r.count) // an interim response: the head of another follows
	case r.status == 204 || r.status == 304:
		r.phase = ended
	case r.refused || r.status < 200:
		r.phase = openBody
	case r.chunked:
		r.phase = chunkSize
	case r.length > 0:
		r.phase, r.left = fixedBody, r.length
	case r.length == 0:
		r.phase = ended
	default:
		r.phase = openBody
	}
}
