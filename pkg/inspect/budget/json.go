package budget

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Error is a fault in a budget file, with its position.
type Error struct {
	File         string // as given to Parse
	Line, Column int    // from 1; columns count characters
	Text         string // what is wrong, and what is allowed there
}

// Error is one line: "budget.json:3:20: …".
func (e *Error) Error() string { return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Text) }

// Bounds of a budget file, far above those of files that people write.
const (
	maxFile  = 1 << 20
	maxDepth = 16
)

// node is a JSON value with its position.
type node struct {
	off     int // of its first byte
	value   any // string, json.Number, bool, nil, or one of the two below
	members []member
	items   []node
	kind    string // for a person: "an object", "a list", "a string", …
}

type member struct {
	key   string
	off   int
	value node
}

// reader parses a file into nodes.
type reader struct {
	file string
	data []byte
	dec  *json.Decoder
}

// read parses data, which must be one JSON value.
func read(file string, data []byte) (node, *reader, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // the byte order mark of some editors
	r := &reader{file: file, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	if len(data) > maxFile {
		return node{}, r, r.errorf(0, "file has %d bytes: must be at most %d", len(data), maxFile)
	}
	if !utf8.Valid(data) {
		return node{}, r, r.errorf(0, "file is not UTF-8 text: save it as such")
	}
	n, err := r.value(0)
	if err != nil {
		return node{}, r, err
	}
	end := r.next(int(r.dec.InputOffset()))
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return node{}, r, r.errorf(end, "something follows the end of the list: remove it")
	}
	return n, r, nil
}

// next skips white space, commas and colons.
func (r *reader) next(off int) int {
	for off < len(r.data) && bytes.IndexByte([]byte(" \t\r\n,:"), r.data[off]) >= 0 {
		off++
	}
	return off
}

func (r *reader) token() (json.Token, int, error) {
	off := r.next(int(r.dec.InputOffset()))
	t, err := r.dec.Token()
	if err == nil {
		return t, off, nil
	}
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, off, r.errorf(len(r.data), "not JSON: the file ends too early")
	case errors.As(err, &syntax):
		return nil, off, r.errorf(max(int(syntax.Offset)-1, off), "not JSON: %s", syntax.Error())
	}
	return nil, off, r.errorf(off, "not JSON: %v", err)
}

func (r *reader) value(depth int) (node, error) {
	t, off, err := r.token()
	if err != nil {
		return node{}, err
	}
	n := node{off: off, value: t}
	switch t := t.(type) {
	case json.Delim:
		if depth >= maxDepth {
			return node{}, r.errorf(off, "nested more than %d deep", maxDepth)
		}
		if t == '{' {
			n.kind = "an object"
			err = r.object(&n, depth)
		} else {
			n.kind = "a list"
			err = r.list(&n, depth)
		}
	case string:
		n.kind = "a string"
	case json.Number:
		n.kind = "a number"
	case bool:
		n.kind = "true or false"
	case nil:
		n.kind = "null"
	}
	return n, err
}

func (r *reader) object(n *node, depth int) error {
	seen := map[string]bool{}
	for r.dec.More() {
		t, off, err := r.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return r.errorf(off, "not JSON: a key must be a string")
		}
		if seen[key] {
			return r.errorf(off, "key %q is given twice: remove one", key)
		}
		seen[key] = true
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.members = append(n.members, member{key, off, v})
	}
	_, _, err := r.token()
	return err
}

func (r *reader) list(n *node, depth int) error {
	for r.dec.More() {
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, v)
	}
	_, _, err := r.token()
	return err
}

// errorf is a fault at a byte of the file.
func (r *reader) errorf(off int, format string, args ...any) *Error {
	before := r.data[:min(off, len(r.data))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return &Error{File: r.file, Line: line, Column: column, Text: fmt.Sprintf(format, args...)}
}
