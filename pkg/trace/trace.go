// Package trace makes OpenTelemetry traces of requests: one trace for each, from who asks
// to the notification. It is the only importer of OpenTelemetry, and knows neither bus
// nor store.
//
// Nothing of a trace is remembered or passed along but one optional field: the ids derive
// from the request's id, which every message has, and the spans from what its report says
// (Spans). So a page's timeline needs no collector, a component that was killed loses
// nothing that another one needs, and a span that is exported again, after a kill, has the
// same id.
//
// An Exporter sends spans to a collector. Without one it is nil, and costs nothing.
package trace

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"strings"

	oteltrace "go.opentelemetry.io/otel/trace"

	"libra/pkg/event"
)

// Header is the name of the field that carries the context of a trace, over HTTP and on
// the bus (W3C Trace Context).
const Header = "traceparent"

// Context is the place of a request in a trace.
type Context struct {
	Trace oteltrace.TraceID
	// Parent is the span of who asked; zero where the trace begins with the request.
	Parent oteltrace.SpanID
	// Sampled says that spans are exported: who asked may not want them.
	Sampled bool
}

// Of is the context of a request: what its traceparent says, or a trace of its own, whose
// id is the first 16 bytes of the SHA-256 of the request's id.
func Of(r event.Request) Context {
	if c, ok := parse(r.Traceparent); ok {
		return c
	}
	sum := sha256.Sum256([]byte(r.ID))
	return Context{Trace: oteltrace.TraceID(sum[:16]), Sampled: true}
}

// ID is the id of a request's trace, as 32 hexadecimal digits.
func ID(r event.Request) string { return Of(r).Trace.String() }

// IDOf is the id of the trace that a traceparent continues; "" for an invalid one.
func IDOf(traceparent string) string {
	if c, ok := parse(traceparent); ok {
		return c.Trace.String()
	}
	return ""
}

// Valid is a traceparent in the form of version 00, or "" for an invalid one: W3C Trace
// Context wants a new trace for that.
func Valid(traceparent string) string {
	c, ok := parse(traceparent)
	if !ok {
		return ""
	}
	return c.header(c.Parent)
}

// Traceparent is what messages about a request carry: its trace, and its span "request" as
// the parent of what they cause.
func Traceparent(r event.Request) string { return Of(r).header(spanID(r.ID, Request)) }

// header writes a traceparent of version 00.
func (c Context) header(span oteltrace.SpanID) string {
	flags := "00"
	if c.Sampled {
		flags = "01"
	}
	return "00-" + c.Trace.String() + "-" + span.String() + "-" + flags
}

// mostTraceparent bounds what is read of a traceparent, in bytes: version 00 has 55, later
// ones may have more.
const mostTraceparent = 200

// parse reads a traceparent: version, trace id, span id and flags. A later version may have
// more after them (https://www.w3.org/TR/trace-context/#traceparent-header).
func parse(traceparent string) (c Context, ok bool) {
	if len(traceparent) > mostTraceparent {
		return Context{}, false
	}
	part := strings.SplitN(traceparent, "-", 5)
	if len(part) < 4 {
		return Context{}, false
	}
	version, err := octet(part[0])
	flags, flagsErr := octet(part[3])
	var traceErr, spanErr error
	c.Trace, traceErr = oteltrace.TraceIDFromHex(part[1])
	c.Parent, spanErr = oteltrace.SpanIDFromHex(part[2])
	known := version == 0 && len(part) == 4 && flags <= 3
	if errors.Join(err, flagsErr, traceErr, spanErr) != nil || version == 0xff || version == 0 && !known {
		return Context{}, false
	}
	c.Sampled = flags&1 != 0
	return c, true
}

// octet reads two hexadecimal digits, in small letters.
func octet(text string) (byte, error) {
	if len(text) != 2 || strings.Trim(text, "0123456789abcdef") != "" {
		return 0, errors.New("must be two hexadecimal digits")
	}
	n, err := strconv.ParseUint(text, 16, 8)
	return byte(n), err
}

// spanID derives the id of a span from the id of what it is of, and from what
// distinguishes it there.
func spanID(of string, distinct ...string) oteltrace.SpanID {
	h := sha256.New()
	h.Write([]byte(of))
	for _, d := range distinct {
		h.Write([]byte{0})
		h.Write([]byte(d))
	}
	return oteltrace.SpanID(h.Sum(nil)[:8])
}
