package fetch

import "context"

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
