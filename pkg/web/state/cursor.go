package state

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Cursor is a place in the list of pages, newest news first. A page that gets
// news moves to the front: a client that pages on gets every other page once.
type Cursor struct {
	At time.Time
	ID string
}

func (c Cursor) String() string {
	if c.At.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.At.UnixNano(), 10) + "." + c.ID))
}

// DecodeCursor reads a place in any list.
func DecodeCursor(s string) (c Cursor, ok bool) {
	if s == "" {
		return c, true
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	nanos, id, ok := strings.Cut(string(data), ".")
	n, numErr := strconv.ParseInt(nanos, 10, 64)
	if err != nil || numErr != nil || !ok || id == "" {
		return c, false
	}
	return Cursor{time.Unix(0, n).UTC(), id}, true
}

// Compare orders cursors by time, and by id where that is the same.
func (c Cursor) Compare(d Cursor) int { return cmp.Or(c.At.Compare(d.At), strings.Compare(c.ID, d.ID)) }

// isAfter reports whether something comes after the place, in a list with the
// newest first.
func (c Cursor) isAfter(at time.Time, id string) bool {
	return c.At.IsZero() || Cursor{at, id}.Compare(c) < 0
}
