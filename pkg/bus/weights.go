package bus

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// mostMarks bounds the places at which weights knows a sum: 16 kB.
const mostMarks = 1024

// weights sums up the sizes of the messages that one incarnation of a stream has after a
// sequence, so that those after a later one can be known: a mean over all of a stream says
// little about the newest of it. Several goroutines may use it.
type weights struct {
	end context.CancelFunc // of the goroutine that adds; for the caller of weigh

	mu    sync.Mutex
	marks []mark // under mu; ascending; the first is where the sum begins
	last  mark   // under mu
	step  uint64 // under mu; messages between two marks, at least
}

// mark is a place in the stream, and the sum up to there.
type mark struct{ sequence, bytes uint64 }

func newWeights(after uint64) *weights {
	begin := mark{sequence: after}
	return &weights{marks: []mark{begin}, last: begin, step: 1}
}

// add adds the size of a message, which may have been added before.
func (w *weights) add(sequence, bytes uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sequence <= w.last.sequence {
		return
	}
	w.last = mark{sequence, w.last.bytes + bytes}
	if sequence < w.marks[len(w.marks)-1].sequence+w.step {
		return
	}
	if len(w.marks) == mostMarks {
		for i := range mostMarks / 2 {
			w.marks[i] = w.marks[2*i]
		}
		w.marks, w.step = w.marks[:mostMarks/2], 2*w.step
	}
	w.marks = append(w.marks, w.last)
}

// after returns the sum of what comes after a sequence, or after a mark shortly before it,
// or all that is known; which sequences it is of: those after from, up to until; and forgets
// what is before.
func (w *weights) after(sequence uint64) (bytes, from, until uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if sequence >= w.last.sequence {
		w.marks, w.step = append(w.marks[:0], w.last), 1
		return 0, w.last.sequence, w.last.sequence
	}
	i, found := slices.BinarySearchFunc(w.marks, sequence, func(m mark, at uint64) int { return cmp.Compare(m.sequence, at) })
	if !found && i > 0 {
		i--
	}
	w.marks = slices.Delete(w.marks, 0, i)
	return w.last.bytes - w.marks[0].bytes, w.marks[0].sequence, w.last.sequence
}

// newest is the sequence of the last message that was added.
func (w *weights) newest() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last.sequence
}

// weigh adds the sizes of the reports that stream REPORTS has after a sequence, and of
// those that come, to what it returns, until ctx or that ends.
func (c *Conn) weigh(ctx context.Context, after uint64) *weights {
	w := newWeights(after)
	ctx, w.end = context.WithCancel(ctx)
	next := func() jetstream.OrderedConsumerConfig {
		return jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: w.newest() + 1, HeadersOnly: true}
	}
	go func() {
		_ = c.consume(ctx, event.ReportStream, next, func(uint64) {}, func(m jetstream.Msg) { // it ends with ctx
			if meta, err := m.Metadata(); err == nil {
				w.add(meta.Sequence.Stream, storedSize(m))
			}
		})
	}()
	return w
}

// storedSize is what a message of which only the headers came takes of its stream's
// MaxBytes: of a record of the file store, 34 bytes are the store's own.
func storedSize(m jetstream.Msg) uint64 {
	size := 34 + len(m.Subject()) + len("NATS/1.0\r\n\r\n")
	for name, values := range m.Headers() {
		for _, v := range values {
			if name == nats.MsgSize { // added on the way
				body, _ := strconv.Atoi(v)
				size += body
				continue
			}
			size += len(name) + len(": ") + len(v) + len("\r\n")
		}
	}
	return uint64(size)
}
