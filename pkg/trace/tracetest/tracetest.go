// Package tracetest gives a test a collector of traces: what it is sent is decoded by the
// OpenTelemetry Collector's own code (go.opentelemetry.io/collector/pdata), as the
// Collector's receiver for OTLP over HTTP does.
package tracetest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// Span is a span that was received, with the resource that it came of.
type Span struct {
	ptrace.Span
	Resource pcommon.Map
}

// Service is the component that exported the span.
func (s Span) Service() string { return text(s.Resource, "service.name") }

// Text is an attribute as text, "" where it is missing.
func (s Span) Text(key string) string { return text(s.Attributes(), key) }

func text(m pcommon.Map, key string) string {
	v, ok := m.Get(key)
	if !ok {
		return ""
	}
	return v.AsString()
}

// Collector receives spans until its test ends.
type Collector struct {
	URL string // for LIBRA_OTLP_ENDPOINT

	ended chan struct{} // closed when the test ends

	mu      sync.Mutex
	spans   []Span           // under mu
	invalid []error          // under mu
	calls   int              // under mu
	answer  http.HandlerFunc // under mu; see Instead
}

// Start starts a collector on a free port.
func Start(t testing.TB) *Collector {
	c := &Collector{ended: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(c.serve))
	c.URL = server.URL
	t.Cleanup(func() {
		close(c.ended)
		server.CloseClientConnections()
		server.Close()
		for _, err := range c.invalid {
			t.Errorf("a call of the collector: %v", err)
		}
	})
	return c
}

// Instead has every call answered by h from now on, or by the collector again: nil.
func (c *Collector) Instead(h http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = h
}

// Hang never answers, and does not read what it is sent.
func (c *Collector) Hang(http.ResponseWriter, *http.Request) { <-c.ended }

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.calls++
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	spans, err := decode(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.invalid = append(c.invalid, err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.spans = append(c.spans, spans...)
	data, err := ptraceotlp.NewExportResponse().MarshalJSON()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(data)
}

func decode(r *http.Request) (list []Span, err error) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/json" {
		return nil, fmt.Errorf("%s %s with Content-Type %q: must be POST /v1/traces with application/json", r.Method, r.URL, r.Header.Get("Content-Type"))
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	request := ptraceotlp.NewExportRequest()
	if err := request.UnmarshalJSON(data); err != nil {
		return nil, fmt.Errorf("decode %.300q: %w", data, err)
	}
	for _, resource := range request.Traces().ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				list = append(list, Span{span, resource.Resource().Attributes()})
			}
		}
	}
	return list, nil
}

// Spans are those received so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Calls counts the calls, whatever was answered.
func (c *Collector) Calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}
