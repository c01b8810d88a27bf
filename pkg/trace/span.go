package trace

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	oteltrace "go.opentelemetry.io/otel/trace"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// Names of spans. All but Notification are one for each request; a Fetch is one request of
// the page.
const (
	Request      = "request"                 // the whole: from when it was asked until its report is published
	Accept       = "accept"                  // libra-web stores it on the bus
	Queued       = "queued"                  // it waits on the bus
	Waiting      = "waiting"                 // its inspector waits for the host, or for room
	Inspection   = "inspection"              // the page is inspected
	Fetching     = string(libra.Fetching)    // of the inspection: the page itself
	Discovering  = string(libra.Discovering) // reading it for assets
	Weighing     = string(libra.Weighing)    // its assets
	Fetch        = "GET"
	Reporting    = string(libra.Reporting) // judging and publishing the report
	Record       = "record"                // libra-recorder stores the report
	Notification = "notification"          // libra-notifier calls a provider
)

// Span is a part of a request's time.
type Span struct {
	Trace     oteltrace.TraceID `json:"trace_id"`
	ID        oteltrace.SpanID  `json:"span_id"`
	Parent    oteltrace.SpanID  `json:"parent_id,omitzero"`
	Name      string            `json:"name"`
	Component string            `json:"component"` // that spends the time
	Start     time.Time         `json:"start"`
	End       time.Time         `json:"end"` // never before Start
	// Attributes are strings, int64 and bool, named as in OpenTelemetry's semantic
	// conventions where those have a name.
	Attributes map[string]any `json:"attributes,omitempty"`
	Error      string         `json:"error,omitempty"` // why it failed; "" if it did not

	kind kind
}

// Duration of the span.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// kind is OTLP's SpanKind.
type kind int

const (
	internal kind = 1
	server   kind = 2
	client   kind = 3
	consumer kind = 5
)

const (
	// MostFetches bounds the spans of fetched assets of a request: those that began
	// first. The attribute libra.fetches_left_out of the inspection counts the others.
	MostFetches = 1000
	// mostText bounds a text in a span, in bytes.
	mostText = 1024
)

// Spans are the spans of a request up to its report, by what the report says: first the
// request itself, each parent before its children, siblings by start. Earlier versions
// stored less; what is not known is left out.
func Spans(r event.Reported) []Span {
	b := newBuilder(r.Request)
	rep := r.Report
	end := latest(r.At, rep.Started, r.Request.Asked)
	b.add(Request, b.context.Parent, r.Request.Asked, end, consumer, rootAttributes(r))
	if rep.Outcome == libra.Error {
		b.spans[0].Error = text(reason(rep))
	}
	claimed := r.Claimed
	if claimed.IsZero() {
		claimed = rep.Started
	}
	b.inside(Queued, r.Request.Asked, claimed, nil)
	b.spans[1].Component = component.Bus
	if !r.Claimed.IsZero() && rep.Started.After(r.Claimed) {
		b.inside(Waiting, r.Claimed, rep.Started, nil)
	}
	page, assets := fetches(rep)
	inspected := latest(rep.Started.Add(time.Duration(rep.DurationMS)*time.Millisecond), rep.Started) // in whole milliseconds
	for _, f := range slices.Concat(page, assets) {
		inspected = latest(inspected, f.end)
	}
	if inspected.After(rep.Started) {
		b.inspection(rep, inspected, page, assets)
	}
	b.inside(Reporting, inspected, end, nil)
	return b.spans
}

// Accepted is the span of libra-web, which has stored a request on the bus.
func Accepted(r event.Request, end time.Time) []Span {
	b := newBuilder(r)
	b.component = component.Web
	b.add(Accept, b.root, r.Asked, end, server, map[string]any{"libra.request": r.ID, "libra.page": r.Page, "url.full": text(r.URL)})
	return b.spans
}

// Recorded is the span of libra-recorder, which has stored the report of a request
// together with others.
func Recorded(r event.Request, start, end time.Time, batch int) []Span {
	b := newBuilder(r)
	b.component = component.Recorder
	b.add(Record, b.root, start, end, internal, map[string]any{"libra.request": r.ID, "libra.batch": int64(batch)})
	return b.spans
}

// Call is one call of a provider.
type Call struct {
	Channel, Kind string
	Attempt       int // from 1
	Start, End    time.Time
	Err           error // nil where the provider has accepted the message
}

// Notified are the spans of a call: one for each transition that came of a request, in the
// trace of that.
func Notified(c Call, transitions []libra.Transition) (spans []Span) {
	for _, t := range transitions {
		of, ok := parse(t.Traceparent)
		if !ok || !of.Sampled {
			continue
		}
		s := Span{
			Trace: of.Trace, ID: spanID(t.ID, Notification, c.Channel, strconv.FormatInt(c.Start.UnixNano(), 10)), Parent: of.Parent,
			Name: Notification, Component: component.Notifier, Start: c.Start, End: latest(c.End, c.Start), kind: client,
			Attributes: map[string]any{
				"libra.channel": c.Channel, "libra.notification": c.Kind, "libra.status": "sent", "libra.attempt": int64(c.Attempt),
				"libra.alarm": text(t.Alarm.ID), "libra.alarm.state": string(t.Alarm.State), "libra.transition": t.ID,
			},
		}
		if c.Err != nil {
			s.Error, s.Attributes["libra.status"] = text(c.Err.Error()), "failed"
		}
		spans = append(spans, s)
	}
	return spans
}

// builder makes the spans of one request.
type builder struct {
	request   string
	context   Context
	root      oteltrace.SpanID
	component string
	spans     []Span
}

func newBuilder(r event.Request) *builder {
	return &builder{request: r.ID, context: Of(r), root: spanID(r.ID, Request), component: component.Inspector}
}

// add adds a span that ends at its start at the earliest: clocks are set.
func (b *builder) add(name string, parent oteltrace.SpanID, start, end time.Time, k kind, attributes map[string]any, distinct ...string) oteltrace.SpanID {
	id := spanID(b.request, append([]string{name}, distinct...)...)
	b.spans = append(b.spans, Span{
		Trace: b.context.Trace, ID: id, Parent: parent, Name: name, Component: b.component,
		Start: start.UTC(), End: latest(end, start).UTC(), Attributes: attributes, kind: k,
	})
	return id
}

// inside adds a span of the request.
func (b *builder) inside(name string, start, end time.Time, attributes map[string]any) oteltrace.SpanID {
	return b.add(name, b.root, start, end, internal, attributes)
}

// inspection adds the inspection, its steps, and what was fetched in each. When the steps
// began and ended follows from what was fetched: the page itself, then its assets.
func (b *builder) inspection(rep libra.Report, end time.Time, page, assets []fetch) {
	of := b.inside(Inspection, rep.Started, end, map[string]any{"libra.outcome": string(rep.Outcome), "libra.transfer_bytes": rep.Totals.TransferBytes})
	at := len(b.spans) - 1
	if left := max(0, len(page)+len(assets)-MostFetches); left > 0 {
		assets = assets[:max(0, len(assets)-left)]
		page = page[:min(len(page), MostFetches)]
		b.spans[at].Attributes["libra.fetches_left_out"] = int64(left)
	}
	b.step(Fetching, of, page)
	if len(assets) == 0 {
		return
	}
	if len(page) > 0 {
		if had := span(page).end; assets[0].start.After(had) {
			b.add(Discovering, of, had, assets[0].start, internal, nil)
		}
	}
	b.step(Weighing, of, assets)
}

func (b *builder) step(name string, of oteltrace.SpanID, list []fetch) {
	if len(list) == 0 {
		return
	}
	whole := span(list)
	step := b.add(name, of, whole.start, whole.end, internal, nil)
	for _, f := range list {
		b.add(Fetch, step, f.start, f.end, client, attributesOf(f.asset), strconv.Itoa(f.index))
		if f.asset.Broken() {
			b.spans[len(b.spans)-1].Error = text(cmp.Or(f.asset.Error, "HTTP "+strconv.Itoa(f.asset.Status)))
		}
	}
}

// fetch is an asset that was requested.
type fetch struct {
	asset      *libra.Asset
	index      int // in the report
	start, end time.Time
}

// fetches are what was requested, by start: the page itself, and its assets.
func fetches(r libra.Report) (page, assets []fetch) {
	for i := range r.Assets {
		a := &r.Assets[i]
		if a.Timings == nil && a.StartMS <= 0 {
			continue
		}
		start := r.Started.Add(milliseconds(a.StartMS))
		f := fetch{a, i, start, start}
		if t := a.Timings; t != nil {
			f.end = latest(start.Add(milliseconds(t.Blocked+t.DNS+t.Connect+t.TLS+t.Wait+t.Receive)), start)
		}
		if a.OfPage() {
			page = append(page, f)
		} else {
			assets = append(assets, f)
		}
	}
	byStart := func(a, b fetch) int { return a.start.Compare(b.start) }
	slices.SortStableFunc(page, byStart)
	slices.SortStableFunc(assets, byStart)
	return page, assets
}

// span is from the first start to the last end.
func span(list []fetch) (whole fetch) {
	whole = list[0]
	for _, f := range list {
		whole.end = latest(f.end, whole.end)
	}
	return whole
}

func rootAttributes(r event.Reported) map[string]any {
	m := map[string]any{
		"libra.request": r.Request.ID, "libra.page": r.Request.Page, "url.full": text(r.Request.URL),
		"libra.outcome": string(r.Report.Outcome), "libra.attempt": int64(r.Attempt), "libra.inspector": r.Inspector, "libra.watched": r.Request.Watch != nil,
	}
	if r.Quarantined {
		m["libra.quarantined"] = true
	}
	return m
}

func attributesOf(a *libra.Asset) map[string]any {
	m := map[string]any{
		"http.request.method": "GET", "url.full": text(a.URL),
		"libra.type": string(a.Type), "libra.transfer_bytes": a.TransferBytes(),
	}
	if a.Status != 0 {
		m["http.response.status_code"] = int64(a.Status)
	}
	if a.ErrorCode != "" {
		m["error.type"] = string(a.ErrorCode)
	}
	if host, _ := libra.URLParts(a.URL); host != "" {
		m["server.address"] = text(host)
	}
	return m
}

// reason is why a page is an error, in one line.
func reason(r libra.Report) string {
	if why := r.Why(); len(why) > 0 {
		return cmp.Or(why[0].Text, "error")
	}
	return "error"
}

func text(s string) string { return event.Cut(s, mostText) }

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}
