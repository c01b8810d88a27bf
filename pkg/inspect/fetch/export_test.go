package fetch

import (
	"context"
	"time"

	"libra/pkg/weburl"
)

// OpenStreams follows the frames that both sides of a connection write, and
// returns how many streams are still counted.
func OpenStreams(client, server []byte) int {
	f := frames{preface: prefaceBytes}
	f.write(client)
	f.read(server)
	return len(f.streams)
}

// Followed is what is known of a response that was followed.
type Followed struct {
	Header, Whole int64  // bytes of the heads, and of all
	Ended         bool   // its end was found
	Out           []byte // what net/http reads of it
	Oddity        string
}

// FollowResponse follows text, split into pieces, as one response.
func FollowResponse(text []byte, piece int) (f Followed) {
	var r response
	var t tally
	r.begin(&t)
	for len(text) > 0 {
		p := text[:min(piece, len(text))]
		asSent := !r.inHead()
		n := r.read(p)
		if asSent {
			f.Out = append(f.Out, p[:n]...)
		} else {
			f.Out, r.out = append(f.Out, r.out...), r.out[:0]
		}
		if n < len(p) {
			break
		}
		text = text[len(p):]
	}
	r.flush()
	f.Out = append(f.Out, r.out...)
	f.Header, f.Whole, f.Ended = t.header.Load(), t.raw.Load(), r.done()
	if odd := t.odd.Load(); odd != nil {
		f.Oddity = *odd
	}
	return f
}

// Streams is streams for tests.
type Streams struct{ s streams }

func (s *Streams) Acquire(ctx context.Context) error { return s.s.acquire(ctx) }
func (s *Streams) Release()                          { s.s.release() }
func (s *Streams) Allow(limit int)                   { s.s.allow(limit) }

// Jar is a jar for tests, at a time that they choose.
type Jar struct{ j jar }

// Keep stores the cookies of a response of url; foreign and opens are as in visit.
func (j *Jar) Keep(url string, foreign, opens bool, now time.Time, lines ...string) {
	u, _ := weburl.Parse(url)
	j.j.keep(visit{url: u, foreign: foreign, opens: opens, now: now}, lines)
}

// Header returns the Cookie header of a request for url.
func (j *Jar) Header(url string, foreign, opens bool, now time.Time) string {
	u, _ := weburl.Parse(url)
	return j.j.header(visit{url: u, foreign: foreign, opens: opens, now: now})
}

// Bytes returns what the jar takes, by its own count.
func (j *Jar) Bytes() int64 { return j.j.bytes }

// JarBytes is the bound of a jar, ParseCookieDate reads an Expires attribute.
const JarBytes = jarBytes

// ParseCookieDate: see JarBytes.
func ParseCookieDate(s string) (time.Time, bool) { return parseCookieDate(s) }
