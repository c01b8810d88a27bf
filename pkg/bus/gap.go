package bus

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// gaps finds the gaps in what is read of one incarnation of a stream.
type gaps struct {
	stream  string
	created time.Time // of the incarnation
	after   uint64    // the last sequence read; 0 for none
	before  uint64    // the last that is not missed, while none was read
	believe uint64    // gaps that begin up to here were found before, and are believed
	doubted uint64    // where the last gap begins for which reading ended; 0 for none
}

// in returns the gaps before and between messages, and the last sequence then.
func (g *gaps) in(batch []jetstream.Msg) (found []event.Gap, last uint64) {
	last = g.after
	for _, m := range batch {
		meta, err := m.Metadata()
		if err != nil || meta.Sequence.Stream <= last {
			continue // delivered again
		}
		at, before := meta.Sequence.Stream, cmp.Or(last, g.before)
		if at > before+1 {
			found = append(found, gapAfter(g.stream, event.Position{Created: g.created, Sequence: before}, at-before-1, meta.Timestamp))
		}
		last = at
	}
	return found, last
}

// doubts reports whether to read again before gaps are believed, of which this is the last:
// a message that was on its way when the bus stopped comes again only after those behind it.
// What is before the first message of the stream does not come.
func (s supervised) doubts(ctx context.Context, g *gaps, last event.Gap) bool {
	if last.First <= g.believe {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if stream, err := s.js.Stream(ctx, g.stream); err == nil && stream.CachedInfo().State.FirstSeq >= last.First+last.Count {
		return false
	}
	g.doubted = last.First
	return true
}

func gapAfter(stream string, last event.Position, count uint64, until time.Time) event.Gap {
	return event.Gap{Stream: stream, Created: last.Created, Count: count, First: last.Sequence + 1, Until: until.UTC()}
}

// gapsFrom begins to find gaps after the position of a store, which is from. What the
// store lacks of the incarnations that the bus has lost since is one of each. Those up to
// believe were found before.
func (r Recording[T]) gapsFrom(stream string, from event.Position, b begun, believe event.Position) *gaps {
	g := &gaps{stream: stream, created: b.created}
	if believe.Created.Equal(b.created) {
		g.believe = believe.Sequence
	}
	if !b.fresh {
		g.after = from.Sequence
		return g
	}
	g.before = max(b.first, 1) - 1
	var known event.Position
	if r.Known != nil {
		known = r.Known()
	}
	if known.Created.Equal(b.created) {
		g.before = known.Sequence
	}
	if r.Lost == nil || r.Republished {
		return g
	}
	for _, last := range []event.Position{from, known} {
		if lost := gapsOf(stream, last, b); lost != nil {
			g.before = 0
			for _, gap := range lost {
				r.Lost(gap)
			}
			break
		}
	}
	return g
}

// gapsOf returns what a store that has all up to last lacks of the incarnations that were
// lost since; nil where last is in none of them.
func gapsOf(stream string, last event.Position, b begun) []event.Gap {
	at := slices.IndexFunc(b.lost, func(end event.Position) bool { return end.Created.Equal(last.Created) })
	if at < 0 {
		return nil
	}
	list := []event.Gap{}
	for _, end := range b.lost[at:] {
		if end.Sequence > last.Sequence {
			list = append(list, gapAfter(stream, event.Position{Created: end.Created, Sequence: last.Sequence}, end.Sequence-last.Sequence, b.created))
		}
		last = event.Position{}
	}
	return list
}

// Where incarnations of a stream ended that the bus has lost is in the metadata of the next
// one: mostEnds at most, the oldest first.
const (
	endsKey  = "libra-lost"
	mostEnds = 4
)

// endsMetadata is how a stream says it; nil for none.
func endsMetadata(ends []event.Position) map[string]string {
	if len(ends) == 0 {
		return nil
	}
	var list []string
	for _, end := range ends[max(0, len(ends)-mostEnds):] {
		list = append(list, end.Created.UTC().Format(time.RFC3339Nano)+"/"+strconv.FormatUint(end.Sequence, 10))
	}
	return map[string]string{endsKey: strings.Join(list, " ")}
}

// endsOf reads it. What is not of that form is left out.
func endsOf(metadata map[string]string) (ends []event.Position) {
	for text := range strings.FieldsSeq(metadata[endsKey]) {
		created, sequence, _ := strings.Cut(text, "/")
		at, err := time.Parse(time.RFC3339Nano, created)
		n, numErr := strconv.ParseUint(sequence, 10, 64)
		if err == nil && numErr == nil {
			ends = append(ends, event.Position{Created: at, Sequence: n})
		}
	}
	return ends
}

// endsWith are those of a stream, and of what it has now.
func endsWith(info *jetstream.StreamInfo) []event.Position {
	ends := endsOf(info.Config.Metadata)
	if info.State.LastSeq > 0 {
		ends = append(ends, event.Position{Created: info.Created, Sequence: info.State.LastSeq})
	}
	return ends
}
