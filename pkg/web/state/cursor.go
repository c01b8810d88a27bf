package state

import (
	"cmp"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Cursor is a place in the list of pages: those in trouble, the worst first, and
// then the others, newest news first. A page that gets news moves to the front: a
// client that pages on gets every other page once.
type Cursor struct {
	At time.Time
	ID string
	// Rank is the place of the kind of trouble, from 1; 0 for a page without.
	Rank int
}

func (c Cursor) String() string {
	if c.At.IsZero() {
		return ""
	}
	text := strconv.FormatInt(c.At.UnixNano(), 10) + "." + c.ID
	if c.Rank > 0 {
		text = strconv.Itoa(c.Rank) + ":" + text
	}
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// DecodeCursor reads a place in any list.
func DecodeCursor(s string) (c Cursor, ok bool) {
	if s == "" {
		return c, true
	}
	data, err := base64.RawURLEncoding.DecodeString(s)
	rank, rest, ranked := strings.Cut(string(data), ":")
	if !ranked || strings.Contains(rank, ".") { // an id may have a colon
		rank, rest, ranked = "0", string(data), false
	}
	nanos, id, ok := strings.Cut(rest, ".")
	n, numErr := strconv.ParseInt(nanos, 10, 64)
	r, rankErr := strconv.Atoi(rank)
	if err != nil || numErr != nil || rankErr != nil || !ok || id == "" || (r > 0) != ranked {
		return c, false
	}
	return Cursor{At: time.Unix(0, n).UTC(), ID: id, Rank: r}, true
}

// Compare orders cursors of the same rank by time, and by id where that is the same.
func (c Cursor) Compare(d Cursor) int { return cmp.Or(c.At.Compare(d.At), strings.Compare(c.ID, d.ID)) }

// isAfter reports whether something comes after the place, in a list with the
// newest first.
func (c Cursor) isAfter(at time.Time, id string) bool {
	return c.At.IsZero() || Cursor{At: at, ID: id}.Compare(c) < 0
}
