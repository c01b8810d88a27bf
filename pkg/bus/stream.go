package bus

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

// How long the bus stores messages; SQLite stores them for good.
const (
	reportAge = 7 * 24 * time.Hour
	alarmAge  = 30 * 24 * time.Hour
	// duplicateWindow is how long a message id is remembered.
	duplicateWindow = 10 * time.Minute
)

// streams shares space (bytes) out between the streams.
func streams(space int64, replicas int) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name: event.RequestStream, Subjects: []string{event.AllRequests},
			Description: "accepted requests, until a report answers them",
			Retention:   jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			// A second request for the same place is refused; see Submit for one open
			// request per flow and page.
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
			MaxBytes: space / 8, MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.ReportStream, Subjects: []string{event.AllReports},
			Description: "reports of the last days; the last of a subject is a page's newest",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			MaxAge: reportAge, MaxBytes: space / 8 * 6, Discard: jetstream.DiscardOld,
			// A block of the store is compressed when it is full, from the next start of
			// the server on where the stream existed before. MaxBytes counts what is sent.
			Compression:  jetstream.S2Compression,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.AlarmStream, Subjects: []string{event.AllAlarms},
			Description: "alarms raised and cleared",
			// Limits, not Interest: with Interest a transition without a consumer
			// would be acknowledged and dropped.
			Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			MaxAge: alarmAge, MaxBytes: space/16 - space/256 - space/64, Discard: jetstream.DiscardOld,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.NoteStream, Subjects: []string{event.AllNotes},
			Description: "what was done about alarms, and silences",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			MaxAge: libra.LongestSilence, MaxBytes: space / 32, Discard: jetstream.DiscardOld,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.BoardStream, Subjects: []string{event.AllBoard},
			Description: "notes on the board, each on a subject of its own",
			// Of its own, so that however much is written pushes out no silence.
			Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			MaxAge: alarmAge, MaxBytes: space / 64, Discard: jetstream.DiscardOld,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.WatchStream, Subjects: []string{event.AllWatches, event.AllDue},
			Description: "the newest message of every watch, and what is due",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			// See SetWatch for what is done before a watch could be dropped.
			MaxMsgsPerSubject: 1, MaxBytes: space / 32, Discard: jetstream.DiscardOld, AllowMsgSchedules: true, AllowRollup: true,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.HostStream, Subjects: []string{event.AllHosts, event.AllProbes, event.AllHolds},
			Description: "the circuit breakers of inspected hosts, and what operators want of them",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			// New ones are refused where it is full: breakers are then known to one
			// inspector, and no hold is lost.
			MaxMsgsPerSubject: 1, MaxBytes: space / 256, Discard: jetstream.DiscardNew, AllowMsgTTL: true,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
	}
}

// Space is what the streams may take together.
type Space struct {
	Bytes int64
	// Keep leaves the sizes of streams that exist as they are: Bytes is for those
	// that do not.
	Keep bool
	// sizes are those that streams had which are not there any more, with Keep.
	sizes map[string]int64
	// ends are where streams ended that are not there any more.
	ends map[string][]event.Position
}

// EnsureStreams creates the streams and the lanes of requests, or updates them to what
// this version needs, within space, as soon as the bus answers.
func (c *Conn) EnsureStreams(ctx context.Context, space Space) error {
	for _, cfg := range streams(space.Bytes, 1) {
		err := c.retry(ctx, "make stream "+cfg.Name, func() error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			return c.ensureStream(ctx, cfg, space)
		})
		if err != nil {
			return fmt.Errorf("make stream %s: %w", cfg.Name, err)
		}
	}
	return c.ensureLanes(ctx)
}

func (c *Conn) ensureStream(ctx context.Context, cfg jetstream.StreamConfig, space Space) error {
	old, err := c.js.Stream(ctx, cfg.Name)
	switch {
	case err == nil:
		cfg.FirstSeq = old.CachedInfo().Config.FirstSeq
		cfg.Metadata = endsMetadata(endsOf(old.CachedInfo().Config.Metadata))
		if space.Keep {
			cfg.MaxBytes = old.CachedInfo().Config.MaxBytes
		}
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return err
	default:
		if cfg.Name == event.RequestStream {
			// Above every number that a lost one had: a worker that still has a request
			// of it acknowledges by number, and would remove another one here.
			cfg.FirstSeq = uint64(time.Now().UnixMilli())
		}
		cfg.Metadata = endsMetadata(space.ends[cfg.Name])
		if size := space.sizes[cfg.Name]; space.Keep && size != 0 {
			cfg.MaxBytes = size
		}
	}
	_, err = c.js.CreateOrUpdateStream(ctx, cfg)
	return err
}

// Published counts the messages that the bus has stored for this connection.
func (c *Conn) Published() int64 { return c.published.Load() }

// Publishing is how long the bus took to store messages of this connection, those of
// several at once added up, in microseconds.
func (c *Conn) Publishing() int64 { return c.publishing.Spent() }

// PublishingAny is how long the bus had at least one to store, in microseconds.
func (c *Conn) PublishingAny() int64 { return c.publishing.Any() }

// publish stores v on a stream: when it returns nil, v is on disk. The id makes
// the second attempt harmless.
func (c *Conn) publish(ctx context.Context, subject, id string, v any, opts ...jetstream.PublishOpt) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message for %s: %w", subject, err)
	}
	return c.store(ctx, subject, id, data, traceparent(v), opts...)
}

// traceparent is the context of a message's trace; "" for a message that belongs to none.
func traceparent(v any) string {
	switch m := v.(type) {
	case event.Request:
		return trace.Traceparent(m)
	case event.Reported:
		return trace.Traceparent(m.Request)
	case libra.Transition:
		return m.Traceparent
	}
	return ""
}

// store is publish for what is encoded already. The header with the context of a trace is
// for what reads the bus beside Libra: components believe the message.
func (c *Conn) store(ctx context.Context, subject, id string, data []byte, traceparent string, opts ...jetstream.PublishOpt) (err error) {
	msg := &nats.Msg{Subject: subject, Data: data}
	if traceparent != "" {
		msg.Header = nats.Header{trace.Header: {traceparent}}
	}
	for attempt := 1; ; attempt++ {
		try, cancel := context.WithTimeout(ctx, callTime)
		call, done := c.inFlight.begin(try)
		end := c.publishing.Begin()
		_, err = c.js.PublishMsg(call, msg, append(opts, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))...)
		end()
		if err != nil && context.Cause(call) == errLost {
			err = errLost
		}
		done()
		cancel()
		if err == nil {
			c.published.Add(1)
			return nil
		}
		if err = unavailable(err); attempt == 2 || ctx.Err() != nil || !isUnavailable(err) || !c.Connected() {
			return err
		}
	}
}

// What is read ahead of a handler, at most: messages of streams, each of up to 8 MiB, and
// bytes of others. A limit in bytes has an ordered consumer stop in the middle of a stream.
const (
	aheadMessages = 2
	aheadBytes    = 10 << 20
)

// consume calls fn for every message of an ordered consumer, from what begin
// says, until ctx ends. After an error it starts over, so fn must expect
// messages that it has seen.
func (c *Conn) consume(ctx context.Context, stream string, begin func() jetstream.OrderedConsumerConfig, started func(pending uint64), fn func(jetstream.Msg)) error {
	for ctx.Err() == nil {
		cfg := begin()
		cfg.NamePrefix = c.cfg.Role + "-" + rand.Text() // see event.ConsumerCall
		var s jetstream.Stream
		var cons jetstream.Consumer
		err := c.retry(ctx, "read stream "+stream, func() (err error) {
			try, cancel := context.WithTimeout(ctx, 2*callTime)
			defer cancel()
			if s, err = c.js.Stream(try, stream); err != nil {
				return err
			}
			cons, err = s.OrderedConsumer(try, cfg)
			return err
		})
		if err != nil {
			return err
		}
		if info := cons.CachedInfo(); info != nil {
			started(info.NumPending)
		}
		through := &gate{fn: fn}
		cc, err := cons.Consume(through.pass, jetstream.PullHeartbeat(time.Second), jetstream.PullExpiry(5*time.Second),
			jetstream.PullMaxMessages(aheadMessages),
			jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
				c.log.Debug("reading stream", "stream", stream, "err", err)
			}))
		if err != nil {
			c.log.Warn("read stream, trying again", "stream", stream, "err", err)
			continue
		}
		c.untilReplaced(ctx, s, cc.Closed())
		through.close()
		go cc.Stop() // while it reconnects, it takes up to ten seconds
	}
	return ctx.Err()
}

// gate passes messages on until it is closed. An ordered consumer that is
// reconnecting cannot be waited for when it is stopped.
type gate struct {
	mu     sync.Mutex
	fn     func(jetstream.Msg)
	closed bool // under mu
}

func (g *gate) pass(m jetstream.Msg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.fn(m)
	}
}

// close returns when no call of fn is in progress; none follows.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// untilReplaced returns when ctx ends, when reading has ended, or when the
// stream is not the one it was: the bus has lost its store, and an ordered
// consumer would wait for a sequence number that is far away.
func (c *Conn) untilReplaced(ctx context.Context, s jetstream.Stream, closed <-chan struct{}) {
	created, name := s.CachedInfo().Created, s.CachedInfo().Config.Name
	look := time.NewTicker(2 * time.Second)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-closed:
			c.log.Warn("reading a stream ended, starting over", "stream", name)
			return
		case <-look.C:
			try, cancel := context.WithTimeout(ctx, callTime)
			info, err := s.Info(try)
			cancel()
			if err == nil && !info.Created.Equal(created) {
				c.log.Warn("the bus has lost a stream and made it again, starting over", "stream", name)
				return
			}
		}
	}
}
