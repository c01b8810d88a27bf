package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// RecorderDurable is the name under which the bus shows how far the recorder is.
const RecorderDurable = "recorder"

// How full of reports that are not recorded stream REPORTS may be, as a share of its
// size. At the end of it the bus would discard them.
const (
	refuseFrom = 0.90 // from which on requests are refused, and due watches wait
	holdFrom   = 0.95 // from which on workers get no request
	comingFrom = 0.25 // from which on the reports of open requests count, too: a recorder that keeps up stores them
)

// Backlog is what stream REPORTS holds that the recorder has not stored.
type Backlog struct {
	Reports uint64
	Bytes   float64 // of them, as sent
	Coming  float64 // bytes of the reports of the open requests, if they are as large
	Space   float64 // bytes of the stream
}

// Refuse reports whether another request may cost a report that is not recorded.
func (b Backlog) Refuse() bool {
	return b.Bytes >= refuseFrom*b.Space || b.Bytes >= comingFrom*b.Space && b.Bytes+b.Coming >= refuseFrom*b.Space
}

// hold reports whether the next reports may cost one.
func (b Backlog) hold() bool { return b.Bytes >= holdFrom*b.Space }

func (b Backlog) String() string {
	return fmt.Sprintf("%s (%s of at most %s) are not in the history yet; more would cost the oldest of them",
		libra.Several(int(b.Reports), "report"), libra.FormatBytes(int64(b.Bytes)), libra.FormatBytes(int64(b.Space)))
}

// backlogs follows the backlog. It belongs to the goroutine of GuardReports, but for
// what is under mu.
type backlogs struct {
	created  time.Time // of the stream
	recorded uint64    // the last sequence that the recorder is known to have stored
	weights  *weights  // of the reports after one that was recorded; nil before the first look at this incarnation
	looked   bool      // at the lanes, which an earlier process may have paused
	held     bool      // the lanes are paused
	heldAt   time.Time // when they were paused last

	mu     sync.Mutex
	newest Backlog   // under mu
	since  time.Time // under mu; since when requests are refused; the zero time while they are not
}

// Backlog is the newest that GuardReports has seen, and since when it refuses requests;
// the zero time while it does not.
func (c *Conn) Backlog() (b Backlog, refusedSince time.Time) {
	c.backlogs.mu.Lock()
	defer c.backlogs.mu.Unlock()
	return c.backlogs.newest, c.backlogs.since
}

func (b *backlogs) set(newest Backlog, now time.Time) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.newest = newest
	changed = newest.Refuse() == b.since.IsZero()
	switch {
	case !newest.Refuse():
		b.since = time.Time{}
	case b.since.IsZero():
		b.since = now
	}
	return changed
}

// GuardReports looks at intervals of every how many reports are not recorded, until ctx ends.
// Before the bus would discard one, RelayDue waits and workers get no more requests:
// those stay on the bus. loop supervises the goroutine that calls it; it may be nil.
func (c *Conn) GuardReports(ctx context.Context, every time.Duration, loop Loop) error {
	s := supervised{c, loop}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.allow()
		if err := s.guard(ctx, time.Now()); err != nil && ctx.Err() == nil && c.Connected() {
			c.logOutage("look at the reports that are not recorded", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s supervised) guard(ctx context.Context, now time.Time) error {
	newest, err := s.look(ctx)
	if err != nil {
		return err
	}
	if b := &s.backlogs; b.set(newest, now) {
		if newest.Refuse() {
			s.log.Error("requests are refused: the history is too far behind", "backlog", newest.String())
		} else {
			s.log.Info("requests are accepted again", "unrecorded", newest.Reports)
		}
	}
	return s.holdLanes(ctx, newest, now)
}

// look compares the stream with what the recorder has stored of it. What it begins ends
// with ctx.
func (s supervised) look(ctx context.Context) (Backlog, error) {
	all := ctx
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	reports, err := s.js.Stream(ctx, event.ReportStream)
	if err != nil {
		return Backlog{}, err
	}
	requests, err := s.js.Stream(ctx, event.RequestStream)
	if err != nil {
		return Backlog{}, err
	}
	b, info := &s.backlogs, reports.CachedInfo()
	if !info.Created.Equal(b.created) {
		b.created, b.recorded = info.Created, 0
		if b.weights != nil {
			b.weights.end()
			b.weights = nil
		}
	}
	cons, err := reports.Consumer(ctx, RecorderDurable)
	if err == nil {
		b.recorded = cons.CachedInfo().AckFloor.Stream
	} else if !errors.Is(err, jetstream.ErrConsumerNotFound) { // the recorder makes it again at each start
		return Backlog{}, err
	}
	state := info.State
	newest := Backlog{Space: float64(info.Config.MaxBytes)}
	if state.Msgs == 0 {
		return newest, nil
	}
	after := max(min(b.recorded, state.LastSeq), state.FirstSeq-1)
	if b.weights == nil {
		b.weights = s.weigh(all, after)
	}
	newest.sum(state, after, b.weights, requests.CachedInfo().State.Msgs)
	return newest, nil
}

// sum notes what a stream has after a sequence, and what open requests will add. A report
// whose size is not known counts as one of the mean size of such: those that came before
// libra-bus began to read sizes, and that a recorder reads again for a new database.
func (b *Backlog) sum(state jetstream.StreamState, after uint64, sizes *weights, open uint64) {
	known, from, until := sizes.after(after)
	from, until = max(from, after), min(max(until, after), state.LastSeq)
	mean := float64(state.Bytes) / float64(state.Msgs)
	other := mean
	if n := float64(state.Msgs) - float64(until-from); n > 0 {
		other = max(0, float64(state.Bytes)-float64(known)) / n
	}
	b.Reports = state.LastSeq - after
	b.Bytes = float64(known) + other*float64(from-after+state.LastSeq-until)
	if b.Reports > 0 {
		mean = max(mean, b.Bytes/float64(b.Reports))
	}
	b.Coming = mean * float64(open)
}

// pauseTime is for how long lanes are paused at a time: they go on by themselves if
// libra-bus does not.
const pauseTime = time.Minute

// holdLanes pauses the consumers of the lanes while the backlog says so.
func (s supervised) holdLanes(ctx context.Context, newest Backlog, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callTime)
	defer cancel()
	b := &s.backlogs
	if !b.looked {
		lane, err := s.js.Consumer(ctx, event.RequestStream, event.LaneConsumer(0))
		if err != nil {
			return err
		}
		b.looked, b.held = true, lane.CachedInfo().Paused
	}
	hold := newest.hold() || b.held && newest.Refuse()
	if hold == b.held && (!hold || now.Sub(b.heldAt) < pauseTime/2) {
		return nil
	}
	s.allow()
	failed := make(chan error, event.Lanes)
	for lane := range event.Lanes { // together: each is synced to disk
		go func() { failed <- s.holdLane(ctx, event.LaneConsumer(lane), hold, now.Add(pauseTime)) }()
	}
	var all []error
	for range event.Lanes {
		all = append(all, <-failed)
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	b.held, b.heldAt = hold, now
	return nil
}

func (s supervised) holdLane(ctx context.Context, name string, hold bool, until time.Time) (err error) {
	if hold {
		_, err = s.js.PauseConsumer(ctx, event.RequestStream, name, until)
	} else {
		_, err = s.js.ResumeConsumer(ctx, event.RequestStream, name)
	}
	return err
}
