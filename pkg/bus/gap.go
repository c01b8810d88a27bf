package bus

import (
	"cmp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// gaps finds the gaps in what is read of one incarnation of a stream.
type gaps struct {
	stream  string
	created time.Time // of the incarnation
	after   uint64    // the last sequence read; 0 where that is not known
	known   uint64    // the last that an earlier store has; 0 where that is not known
}

func (g *gaps) look(batch []jetstream.Msg, lost func(event.Gap)) {
	for _, m := range batch {
		meta, err := m.Metadata()
		if err != nil || meta.Sequence.Stream <= g.after {
			continue // delivered again
		}
		at, before := meta.Sequence.Stream, cmp.Or(g.after, g.known)
		if before > 0 && at > before+1 && lost != nil {
			lost(gapAfter(g.stream, event.Position{Created: g.created, Sequence: before}, at-before-1, meta.Timestamp))
		}
		g.after = at
	}
}

func gapAfter(stream string, last event.Position, count uint64, until time.Time) event.Gap {
	return event.Gap{Stream: stream, Created: last.Created, Count: count, First: last.Sequence + 1, Until: until.UTC(), Found: time.Now().UTC()}
}

// gapsFrom begins to find gaps after the position of a store, which is from. What the
// store lacks of the incarnation before, which the bus has lost, is one.
func (r Recording[T]) gapsFrom(stream string, from event.Position, b begun) *gaps {
	g := &gaps{stream: stream, created: b.created}
	if !b.fresh {
		g.after = from.Sequence
		return g
	}
	var known event.Position
	if r.Known != nil {
		known = r.Known()
	}
	if known.Created.Equal(b.created) {
		g.known = known.Sequence
	}
	if !from.Created.Equal(b.lost.Created) {
		from = known
	}
	if from.Created.Equal(b.lost.Created) && b.lost.Sequence > from.Sequence && r.Lost != nil {
		r.Lost(gapAfter(stream, from, b.lost.Sequence-from.Sequence, b.created))
	}
	return g
}

// Where an incarnation of a stream ended that the bus has lost is in the metadata of the
// next one.
const (
	endCreated  = "libra-lost-created"
	endSequence = "libra-lost-sequence"
)

// endMetadata is how a stream says where the incarnation before it ended; nil where that is
// not known, or had nothing.
func endMetadata(end event.Position) map[string]string {
	if end.Sequence == 0 {
		return nil
	}
	return map[string]string{endCreated: end.Created.UTC().Format(time.RFC3339Nano), endSequence: strconv.FormatUint(end.Sequence, 10)}
}

// endOf reads it; the zero position where it is not there.
func endOf(metadata map[string]string) (end event.Position) {
	created, err := time.Parse(time.RFC3339Nano, metadata[endCreated])
	if err != nil {
		return event.Position{}
	}
	sequence, err := strconv.ParseUint(metadata[endSequence], 10, 64)
	if err != nil {
		return event.Position{}
	}
	return event.Position{Created: created, Sequence: sequence}
}
