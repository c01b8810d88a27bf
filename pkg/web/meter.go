package web

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meter is what /metrics shows, in a set of its own.
type meter struct {
	set *metrics.Set

	mu     sync.Mutex
	routes map[string]*route // under mu; as many as there are patterns
}

// route is what is counted of one pattern. Its histogram has Prometheus's own
// buckets, which are cumulative.
type route struct {
	codes   map[int]*metrics.Counter // under meter.mu
	buckets []*metrics.Counter       // one for each of latency, and one for all
	sum     *metrics.FloatCounter
	count   *metrics.Counter
}

// latency bounds, in seconds: from memory in under a millisecond, up to what
// waits for bus and SQLite.
var latency = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

func newMeter(s *Server) *meter {
	m := &meter{set: metrics.NewSet(), routes: map[string]*route{}}
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

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// label quotes a value as Prometheus's text format wants it.
func label(s string) string {
	return `"` + labelEscapes.Replace(strings.ToValidUTF8(s, "?")) + `"`
}

// answered counts one answer.
func (m *meter) answered(pattern string, code int, took time.Duration) {
	r, answers := m.route(pattern, code)
	answers.Inc()
	if pattern == eventsPattern {
		return // it lasts as long as the client wants
	}
	seconds := took.Seconds()
	for i := len(r.buckets) - 1; i >= 0 && (i == len(latency) || seconds <= latency[i]); i-- {
		r.buckets[i].Inc()
	}
	r.sum.Add(seconds)
	r.count.Inc()
}

func (m *meter) route(pattern string, code int) (*route, *metrics.Counter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := "{route=" + label(pattern)
	r := m.routes[pattern]
	if r == nil {
		r = &route{
			codes: map[int]*metrics.Counter{},
			sum:   m.set.NewFloatCounter("libra_web_request_seconds_sum" + of + "}"),
			count: m.set.NewCounter("libra_web_request_seconds_count" + of + "}"),
		}
		for _, le := range latency {
			r.buckets = append(r.buckets, m.set.NewCounter(fmt.Sprintf("libra_web_request_seconds_bucket%s,le=\"%g\"}", of, le)))
		}
		r.buckets = append(r.buckets, m.set.NewCounter("libra_web_request_seconds_bucket"+of+`,le="+Inf"}`))
		m.routes[pattern] = r
	}
	answers := r.codes[code]
	if answers == nil {
		answers = m.set.NewCounter(fmt.Sprintf("libra_web_requests_total%s,code=\"%d\"}", of, code))
		r.codes[code] = answers
	}
	return r, answers
}

func (s *Server) writeDegraded(w io.Writer) {
	out := map[string]bool{"bus": false, sqlitePart: false}
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
