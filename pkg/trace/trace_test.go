package trace_test

import (
	"context"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	oteltrace "go.opentelemetry.io/otel/trace"

	"libra/pkg/event"
	"libra/pkg/trace"
)

const (
	parentTrace = "0af7651916cd43dd8448eb211c80319c"
	parentSpan  = "b7ad6b7169203331"
	traceparent = "00-" + parentTrace + "-" + parentSpan + "-01"
)

// A trace that a request continues is that of who asked; any other is the request's own, and
// its id follows from the request's: printf %s r1 | sha256sum.
func TestTraceOfARequest(t *testing.T) {
	const own = "82f3e9c695dc6b8d1b11818d5701919e"
	for _, c := range []struct {
		name, sent, id string
		sampled        bool
	}{
		{"nothing was sent", "", "", true},
		{"continued", traceparent, parentTrace, true},
		{"not sampled", "00-" + parentTrace + "-" + parentSpan + "-00", parentTrace, false},
		{"a later version with more fields", "cc-" + parentTrace + "-" + parentSpan + "-01-what-follows", parentTrace, true},
		{"the invalid version", "ff-" + parentTrace + "-" + parentSpan + "-01", "", true},
		{"more fields in version 00", traceparent + "-00", "", true},
		{"capitals", strings.ToUpper(traceparent), "", true},
		{"a trace id of zeros", "00-" + strings.Repeat("0", 32) + "-" + parentSpan + "-01", "", true},
		{"a span id of zeros", "00-" + parentTrace + "-" + strings.Repeat("0", 16) + "-01", "", true},
		{"too short", "00-" + parentTrace + "-" + parentSpan, "", true},
		{"not hexadecimal", "00-" + strings.Repeat("g", 32) + "-" + parentSpan + "-01", "", true},
		{"a megabyte", "cc-" + parentTrace + "-" + parentSpan + "-01-" + strings.Repeat("a", 1<<20), "", true},
	} {
		r := event.Request{ID: "r1", Traceparent: c.sent}
		got := trace.Of(r)
		want := c.id
		if want == "" {
			want = own
		}
		if got.Trace.String() != want || got.Sampled != c.sampled || trace.IDOf(c.sent) != c.id {
			t.Errorf("%s: trace %s, sampled %v, by itself %q; want %s, %v, %q", c.name, got.Trace, got.Sampled, trace.IDOf(c.sent), want, c.sampled, c.id)
		}
		if c.id == "" && (trace.Valid(c.sent) != "" || got.Parent.IsValid()) {
			t.Errorf("%s: valid as %q, parent %s", c.name, trace.Valid(c.sent), got.Parent)
		}
		if c.id != "" && got.Parent.String() != parentSpan {
			t.Errorf("%s: parent %s, want %s", c.name, got.Parent, parentSpan)
		}
		flags := "-00"
		if c.sampled {
			flags = "-01"
		}
		message := trace.Traceparent(r)
		if !strings.HasPrefix(message, "00-"+want+"-") || !strings.HasSuffix(message, flags) || strings.Contains(message, parentSpan) || trace.IDOf(message) != want {
			t.Errorf("%s: messages carry %q", c.name, message)
		}
	}
}

// A traceparent is valid where OpenTelemetry's own propagator says so, and means the same.
func FuzzTraceparent(f *testing.F) {
	for _, seed := range []string{"", traceparent, traceparent + "-00", "cc" + traceparent[2:] + "-x", "ff" + traceparent[2:], strings.ToUpper(traceparent), traceparent[:54] + "3", traceparent[:53] + "04", "0A" + traceparent[2:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{trace.Header: text})
		want := oteltrace.SpanContextFromContext(ctx)
		if len(text) > 200 || len(text) == 56 && strings.HasPrefix(text, "00") && text[55] == '-' {
			return // which it takes, although version 00 has 55 bytes
		}
		got := trace.Of(event.Request{ID: "r1", Traceparent: text})
		if valid := trace.Valid(text) != ""; valid != want.IsValid() || valid && (got.Trace != want.TraceID() || got.Parent != want.SpanID() || got.Sampled != want.IsSampled()) {
			t.Errorf("%q is valid: %v, as %+v; OpenTelemetry says %v, %+v", text, valid, got, want.IsValid(), want)
		}
	})
}
