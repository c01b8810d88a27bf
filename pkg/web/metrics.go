package web

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"libra/pkg/web/api"
)

// meter counts answers, and serves /metrics from a registry of its own:
// Prometheus's global one is not used. docs/operations.md lists the names.
type meter struct {
	requests *prometheus.CounterVec   // by route and code; as many routes as there are patterns
	duration *prometheus.HistogramVec // by route
	handler  http.Handler
}

// durations are the buckets of a request, in seconds: from memory in under a
// millisecond, up to what waits for bus and SQLite.
var durations = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}

func newMeter(s *Server) *meter {
	m := &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "libra_web_requests_total", Help: "HTTP requests that libra-web has answered.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "libra_web_request_duration_seconds", Help: "Time libra-web took to answer an HTTP request; event streams are left out.",
			Buckets: durations,
		}, []string{"route"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.requests, m.duration, stateCollector{s}, pageCollector{s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		DisableCompression: true, // every answer is compressed where the client accepts it, see routes
	})
	return m
}

// answered counts one answer.
func (m *meter) answered(pattern string, code int, took time.Duration) {
	m.requests.WithLabelValues(pattern, strconv.Itoa(code)).Inc()
	if pattern == api.EventsPattern {
		return // it lasts as long as the client wants
	}
	m.duration.WithLabelValues(pattern).Observe(took.Seconds())
}

// counted counts answers of one route with one code, as answered does.
type counted struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

func (c counted) count(took time.Duration) {
	c.requests.Inc()
	c.duration.Observe(took.Seconds())
}

func (m *meter) of(pattern string, code int) counted {
	return counted{m.requests.WithLabelValues(pattern, strconv.Itoa(code)), m.duration.WithLabelValues(pattern)}
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	s.metrics.handler.ServeHTTP(w, r)
}
