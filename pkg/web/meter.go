package web

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meter is what /metrics shows, in a set of its own.
type meter struct {
	set *metrics.Set
}

// latency bounds, in seconds: from memory in under a millisecond, up to what
// waits for bus and SQLite.
var latency = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

func newMeter(s *Server) *meter {
	m := &meter{set: metrics.NewSet()}
	gauge := func(name string, value func() float64) { m.set.NewGauge(name, value) }
	gauge(fmt.Sprintf("libra_build_info{version=%s}", label(s.cfg.Version)), func() float64 { return 1 })
	gauge("libra_web_pages", func() float64 { return float64(s.memory.counts().Pages) })
	gauge("libra_web_open_requests", func() float64 { return float64(s.memory.counts().Open) })
	gauge("libra_web_open_alarms", func() float64 { return float64(s.memory.counts().Alarms) })
	gauge("libra_web_cache_bytes", func() float64 { _, n := s.memory.reports.stats(); return float64(n) })
	gauge("libra_web_cache_reports", func() float64 { n, _ := s.memory.reports.stats(); return float64(n) })
	gauge("libra_web_event_streams", func() float64 { return float64(s.hub.size()) })
	gauge("libra_web_up", func() float64 { return truth(s.up().Status == statusOK) })
	m.set.RegisterMetricsWriter(func(w io.Writer) {
		metrics.WriteCounterUint64(w, "libra_web_submissions_total{result=\"accepted\"}", uint64(s.submitted.Load()))
		metrics.WriteCounterUint64(w, "libra_web_submissions_total{result=\"refused\"}", uint64(s.refused.Load()))
		metrics.WriteCounterUint64(w, "libra_web_event_streams_dropped_total", uint64(s.hub.letGo()))
		s.writeDegraded(w)
		s.writeComponents(w)
	})
	return m
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// label quotes a value as Prometheus's text format wants it.
func label(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "?")) + `"`
}

// answered counts one answer. The histogram has Prometheus's own buckets,
// which are cumulative.
func (m *meter) answered(route string, code int, took time.Duration) {
	m.set.GetOrCreateCounter(fmt.Sprintf("libra_web_requests_total{route=%s,code=\"%d\"}", label(route), code)).Inc()
	if route == eventsPattern {
		return // it lasts as long as the client wants
	}
	seconds := took.Seconds()
	for i := len(latency) - 1; i >= 0 && seconds <= latency[i]; i-- {
		m.bucket(route, strconv.FormatFloat(latency[i], 'g', -1, 64)).Inc()
	}
	m.bucket(route, "+Inf").Inc()
	m.set.GetOrCreateFloatCounter("libra_web_request_seconds_sum{route=" + label(route) + "}").Add(seconds)
	m.set.GetOrCreateCounter("libra_web_request_seconds_count{route=" + label(route) + "}").Inc()
}

func (m *meter) bucket(route, le string) *metrics.Counter {
	return m.set.GetOrCreateCounter(fmt.Sprintf("libra_web_request_seconds_bucket{route=%s,le=%q}", label(route), le))
}

func (s *Server) writeDegraded(w io.Writer) {
	out := map[string]bool{"bus": false, "sqlite": false}
	for _, n := range needed {
		out[n.component] = false
	}
	for _, d := range s.degraded(time.Now()) {
		out[d.Part] = true
	}
	for _, part := range slices.Sorted(maps.Keys(out)) {
		metrics.WriteGaugeFloat64(w, "libra_web_degraded{part="+label(part)+"}", truth(out[part]))
	}
}

// writeComponents tells what the beats tell: who is up, and every counter.
func (s *Server) writeComponents(w io.Writer) {
	components := s.status().Components
	of := func(c component) string {
		return "{component=" + label(c.Component) + ",instance=" + label(c.Instance)
	}
	for _, c := range components {
		metrics.WriteGaugeFloat64(w, "libra_component_up"+of(c)+",version="+label(c.Version)+"}", truth(c.Up))
	}
	for _, c := range components {
		for _, name := range slices.Sorted(maps.Keys(c.Counters)) {
			metrics.WriteCounterUint64(w, "libra_component_total"+of(c)+",counter="+label(name)+"}", uint64(max(0, c.Counters[name])))
		}
	}
}

func (s *Server) getMetrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	s.metrics.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}
