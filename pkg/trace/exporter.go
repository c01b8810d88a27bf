package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// Config of an exporter.
type Config struct {
	// Endpoint is the URL of a collector, to which /v1/traces is added:
	// http://127.0.0.1:4318.
	Endpoint string
	// Component, Version, Instance and Host are the resource of the spans, but for those of
	// time that another component spends.
	Component, Version, Instance, Host string
	Log                                *slog.Logger
	// Gather is for how long spans are gathered before they are sent: a second.
	Gather time.Duration
	// Timeout ends a call of the collector: 5 s.
	Timeout time.Duration
	// Pause follows the first failure, and doubles with each: a second, 30 s at most.
	Pause time.Duration
}

const (
	// queueBytes bounds the spans that wait, in bytes of their JSON, those being sent
	// included.
	queueBytes = 2 << 20
	// callBytes is about the largest call, in bytes.
	callBytes = 256 << 10
	longPause = 30 * time.Second
)

// Exporter sends spans to a collector by OTLP over HTTP, as JSON. It never waits for the
// collector: spans for which there is no room are dropped and counted. The methods of a nil
// Exporter do nothing. They may be called concurrently.
type Exporter struct {
	cfg  Config
	url  *url.URL
	wake chan struct{} // spans wait
	done chan struct{} // Run has returned

	exported, dropped atomic.Int64

	mu    sync.Mutex
	queue []encoded // under mu; oldest first
	bytes int       // under mu; of queue, at most queueBytes
	full  bool      // under mu; it was said that there is no room

	failing bool // of Run; it was said that the collector does not take spans
}

// New makes an exporter, to be run with Run; nil without an endpoint.
func New(cfg Config) *Exporter {
	if cfg.Endpoint == "" {
		return nil
	}
	cfg.Gather, cfg.Timeout, cfg.Pause = orElse(cfg.Gather, time.Second), orElse(cfg.Timeout, 5*time.Second), orElse(cfg.Pause, time.Second)
	e := &Exporter{
		cfg: cfg, wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil // the setting was checked
	}
	e.url = u.JoinPath("v1/traces")
	return e
}

func orElse(d, other time.Duration) time.Duration {
	if d == 0 {
		return other
	}
	return d
}

// Export sends the spans of a request soon, unless who asked wants none. make is not
// called without a collector.
func (e *Exporter) Export(r event.Request, make func() []Span) {
	if e != nil && Of(r).Sampled {
		e.add(make())
	}
}

// ExportCall sends the spans of a call of a provider soon.
func (e *Exporter) ExportCall(c Call, transitions []libra.Transition) {
	if e != nil {
		e.add(Notified(c, transitions))
	}
}

// Exported counts the spans that the collector has taken.
func (e *Exporter) Exported() int64 {
	if e == nil {
		return 0
	}
	return e.exported.Load()
}

// Dropped counts the spans that were not exported and never will be.
func (e *Exporter) Dropped() int64 {
	if e == nil {
		return 0
	}
	return e.dropped.Load()
}

// add queues spans, as many as there is room for.
func (e *Exporter) add(spans []Span) {
	for i, s := range spans {
		data, err := encode(s)
		if err != nil { // no text or number is beyond JSON
			e.dropped.Add(1)
			continue
		}
		if !e.enqueue(encoded{s.Component, data}) {
			e.dropped.Add(int64(len(spans) - i)) // a child without its parent is of little use
			break
		}
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *Exporter) enqueue(s encoded) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bytes+len(s.data) > queueBytes {
		if !e.full {
			e.full = true
			e.cfg.Log.Warn("spans are dropped, there is no room for more", "waiting", len(e.queue))
		}
		return false
	}
	e.queue, e.bytes = append(e.queue, s), e.bytes+len(s.data)
	return true
}

// Run sends what is queued until ctx ends, and then makes one more attempt.
func (e *Exporter) Run(ctx context.Context) {
	defer close(e.done)
	pause := time.Duration(0)
	for {
		select {
		case <-e.wake:
		case <-ctx.Done():
			e.last()
			return
		}
		if !e.sleep(ctx, e.cfg.Gather+pause) {
			e.last()
			return
		}
		pause = e.sendAll(ctx, pause)
	}
}

// sleep returns whether there is more to do after a time.
func (e *Exporter) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	}
	return false
}

// sendAll sends what is queued, and returns for how long to pause before the next time.
func (e *Exporter) sendAll(ctx context.Context, pause time.Duration) time.Duration {
	for {
		batch := e.head()
		if len(batch) == 0 {
			return 0
		}
		again, after, err := e.send(ctx, batch)
		if err != nil && ctx.Err() == nil {
			e.fails(err)
		}
		if again {
			select {
			case e.wake <- struct{}{}: // what is queued stays
			default:
			}
			return min(max(2*pause, e.cfg.Pause, after), longPause)
		}
		e.remove(len(batch))
		if err != nil {
			e.dropped.Add(int64(len(batch)))
			continue
		}
		e.works()
	}
}

// lastTime bounds the attempt at the end: who stops a component waits for it.
const lastTime = 500 * time.Millisecond

func (e *Exporter) last() {
	if e.failing {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastTime)
	defer cancel()
	e.sendAll(ctx, 0)
}

// head is the oldest spans that fit into a call. They stay in the queue, and in its bound.
func (e *Exporter) head() []encoded {
	e.mu.Lock()
	defer e.mu.Unlock()
	size, n := 0, 0
	for n < len(e.queue) && (n == 0 || size+len(e.queue[n].data) <= callBytes) {
		size += len(e.queue[n].data)
		n++
	}
	return e.queue[:n:n]
}

func (e *Exporter) remove(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range n {
		e.bytes -= len(e.queue[i].data)
		e.queue[i] = encoded{}
	}
	if e.queue = e.queue[n:]; len(e.queue) == 0 {
		e.queue, e.full = nil, false
	}
}

// send makes one call. again says that the same spans may be taken later: the collector
// was not reached, or asks to be called later, after the time that it names.
func (e *Exporter) send(ctx context.Context, spans []encoded) (again bool, after time.Duration, err error) {
	data, err := body(spans, e.resource)
	if err != nil {
		return false, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	got, err := post(ctx, e.url, "libra/"+e.cfg.Version, data)
	if err != nil {
		return true, 0, err
	}
	if got.status/100 != 2 {
		return retryable(got.status), got.retryAfter, fmt.Errorf("the collector answers %d: %s", got.status, strconv.Quote(event.Cut(string(got.body), 200)))
	}
	no := min(rejected(got.body), int64(len(spans)))
	e.exported.Add(int64(len(spans)) - no)
	e.dropped.Add(no)
	return false, 0, nil
}

// resource says which component spends the time of spans, and where.
func (e *Exporter) resource(component string) []otlpValue {
	m := map[string]any{"service.namespace": "libra", "service.name": component, "service.version": e.cfg.Version, "host.name": e.cfg.Host}
	if component == e.cfg.Component {
		m["service.instance.id"] = e.cfg.Instance
	}
	return values(m)
}

// retryable are the statuses that OTLP has repeated.
func retryable(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

// fails says once that the collector takes no spans.
func (e *Exporter) fails(err error) {
	if !e.failing {
		e.failing = true
		e.cfg.Log.Warn("spans are not exported, retrying", "err", err, "remedy", "check LIBRA_OTLP_ENDPOINT and the collector: docs/operations.md, Traces")
	}
}

// works says that it takes them again.
func (e *Exporter) works() {
	if e.failing {
		e.failing = false
		e.cfg.Log.Info("spans are exported again", "dropped", e.Dropped())
	}
}

// Wait returns when Run has, or with ctx.
func (e *Exporter) Wait(ctx context.Context) error {
	if e == nil {
		return nil
	}
	select {
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
