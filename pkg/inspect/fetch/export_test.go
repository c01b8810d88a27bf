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

// FollowResponse follows text, split into pieces, as one response. It returns the
// bytes of the heads and those of the whole; ended says whether the end was found.
func FollowResponse(text []byte, piece int) (header, whole int64, ended bool) {
	var r response
	var t tally
	r.begin(&t)
	for len(text) > 0 {
		p := text[:min(piece, len(text))]
		if n := r.read(p); n < len(p) {
			break
		}
		text = text[len(p):]
	}
	return t.header.Load(), t.raw.Load(), r.done()
}

// Streams is streams for tests.
type Streams struct{ s streams }

func (s *Streams) Acquire(ctx context.Context) error { return s.s.acquire(ctx) }
func (s *Streams) Release()                          { s.s.release() }
func (s *Streams) Allow(limit int)                   { s.s.allow(limit) }
