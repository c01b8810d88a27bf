package web

import (
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/admission"
	"libra/pkg/web/state"
)

// metric describes a metric whose value is read when /metrics is asked for.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue}
}

// send sends one value. Label values may hold anything: the exposition format
// escapes them, and requires valid UTF-8.
func (m metric) send(out chan<- prometheus.Metric, value float64, labels ...string) {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
}

// describe sends the descriptions of metrics to the registry.
func describe(out chan<- *prometheus.Desc, metrics ...metric) {
	for _, m := range metrics {
		out <- m.desc
	}
}

var (
	buildInfo      = gauge("libra_build_info", "Always 1; the label is the version of libra-web.", "version")
	webUp          = gauge("libra_web_up", "1 while /up answers 200, else 0.")
	webDegraded    = gauge("libra_web_degraded", "1 while the component is degraded, down or unknown, else 0.", "component")
	webPages       = gauge("libra_web_pages", "Pages in the memory of libra-web.")
	webRequests    = gauge("libra_web_open_requests", "Inspections accepted and not yet reported; may be out of date while libra_web_degraded of libra-bus is 1.")
	webCacheBytes  = gauge("libra_web_cache_bytes", "Memory used by the newest reports, compressed.")
	webCached      = gauge("libra_web_cache_reports", "Reports in memory.")
	webState       = gauge("libra_web_state_bytes", "Memory used by a part of what libra-web knows, by the accounting that bounds it.", "part")
	webStateMax    = gauge("libra_web_state_max_bytes", "What the part may use; the oldest of it goes when that is reached.", "part")
	webConns       = gauge("libra_web_connections", "Connections that wait for their client, that an answer is made for, and event streams.", "state")
	webClosed      = counter("libra_web_connections_closed_total", "Connections that were closed to make room for others, or because their address had its share.")
	webStreams     = gauge("libra_web_event_streams", "Clients connected to /api/events.")
	webDropped     = counter("libra_web_event_streams_dropped_total", "Clients of /api/events that were disconnected because they did not read.")
	webSubmissions = counter("libra_web_submissions_total", "Requests for an inspection: accepted, which means stored, or refused because the bus could not store them.", "result")
	limitNow       = gauge("libra_web_admission_limit", "Requests that are worked on at a time, at most: to store something on the bus, or to read the history.", "work")
	limitUse       = gauge("libra_web_admission_requests", "Requests that are worked on, or wait for their turn.", "work", "state")
	limitRefused   = counter("libra_web_admission_refused_total", "Requests that were refused because there were too many at a time.", "work")
	limitLatency   = gauge("libra_web_admission_latency_seconds", "Median latency of what the limit is for: newest, and while few are in progress (unloaded); 0 before the first.", "work", "of")
	openAlarms     = gauge("libra_open_alarms", "Alarms that are raised; while libra_alarms_unknown is 1, those that were, without the severities that had none.", "severity")
	alarmsUnknown  = gauge("libra_alarms_unknown", "1 while libra-web does not know which alarms are raised, else 0.")
	componentUp    = gauge("libra_component_up", "1 while heartbeats of the component arrive, else 0; left out ten minutes after the last one.", "component", "instance", "version")
)

// heartbeatMetrics maps the counters of heartbeats to metrics labelled with
// component and instance. Despite their name not all of them only grow. A nil
// entry is one that another metric or an alarm shows; a counter that is not listed, of a
// component of another version, is left out.
var heartbeatMetrics = map[string]*metric{
	"goroutines":               heartbeatMetric(gauge, "libra_component_goroutines", "Goroutines of the component."),
	"cpu_us":                   heartbeatMetric(counter, "libra_component_cpu_seconds_total", "Processor time that the component has used."),
	"published":                heartbeatMetric(counter, "libra_component_messages_published_total", "Messages of the component that the bus has stored."),
	"publishing_us":            heartbeatMetric(counter, "libra_component_publishing_seconds_total", "Time the bus took to store messages of the component, of several at once added up."),
	"publishing_any_us":        heartbeatMetric(counter, "libra_component_publishing_any_seconds_total", "Time in which the bus had at least one message of the component to store."),
	"busy_us":                  heartbeatMetric(counter, "libra_component_busy_seconds_total", "Time of the work in progress, of several at once added up: submissions, pages, batches, notifications."),
	"slots":                    heartbeatMetric(gauge, "libra_component_slots", "How much of that may be in progress at a time."),
	"messages_refused":         heartbeatMetric(counter, "libra_component_messages_refused_total", "Messages of the bus that the component has dropped, because they could not be read or disagreed with their subject."),
	"spans_exported":           heartbeatMetric(counter, "libra_component_spans_exported_total", "Spans of traces that the collector has taken; missing without LIBRA_OTLP_ENDPOINT."),
	"spans_dropped":            heartbeatMetric(counter, "libra_component_spans_dropped_total", "Spans of traces that the collector has not taken and will not get; missing without LIBRA_OTLP_ENDPOINT."),
	"requests_submitted":       nil, // libra_web_submissions_total
	"requests_refused":         nil,
	"pages_in_hand":            heartbeatMetric(gauge, "libra_inspector_pages_in_progress", "Pages that the inspector is inspecting."),
	"reports_published":        heartbeatMetric(counter, "libra_inspector_reports_published_total", "Reports that the inspector has published."),
	"pages_well":               heartbeatMetric(counter, "libra_inspector_pages_well_total", "Pages whose host answered in time."),
	"pages_melted":             heartbeatMetric(counter, "libra_inspector_pages_melted_total", "Pages whose host gave no answer, a late one, or 429 or 503."),
	"pages_refused":            heartbeatMetric(counter, "libra_inspector_pages_refused_total", "Pages that were not asked for, because the breaker of their host was open."),
	"pages_waiting":            heartbeatMetric(gauge, "libra_inspector_pages_waiting", "Pages that wait because their host has as many in progress as it may."),
	"pages_light":              heartbeatMetric(counter, "libra_inspector_pages_light_total", "Pages that were fetched alone, without what they refer to, because the host was short of memory or CPU."),
	"pages_deferred":           heartbeatMetric(gauge, "libra_inspector_pages_deferred", "Pages that answer and wait to be inspected whole, because the host is short of memory or CPU."),
	event.PressureCounter:      heartbeatMetric(gauge, "libra_inspector_pressure_seconds", "For how long the host has been short of memory or CPU; 0 while it is not."),
	"reports_recorded":         heartbeatMetric(counter, "libra_recorder_reports_recorded_total", "Reports written to the history."),
	"reports_restored":         heartbeatMetric(counter, "libra_recorder_reports_restored_total", "Reports restored to a bus that had lost them."),
	"history_grown_bytes":      heartbeatMetric(counter, "libra_recorder_history_grown_bytes_total", "Bytes by which reports have made the history larger."),
	"prune_at_percent":         heartbeatMetric(gauge, "libra_recorder_prune_at_percent", "How full the disk is, in per cent, when the oldest reports are removed; 0: they never are."),
	"reports_lost":             heartbeatMetric(counter, "libra_recorder_reports_lost_total", "Reports that the bus discarded, or lost with their stream, before they were recorded."),
	event.MissingCounter:       heartbeatMetric(gauge, "libra_recorder_reports_missing", "Reports lost in the last 7 days, in gaps that nobody has acknowledged."),
	event.MissingOthersCounter: heartbeatMetric(gauge, "libra_recorder_alarms_and_notes_missing", "Transitions of alarms and notes lost in the last 7 days, in gaps that nobody has acknowledged."),
	event.LostCounter:          nil, // the alarm "lost"
	event.RestoringCounter:     heartbeatMetric(gauge, "libra_recorder_restoring_seconds", "For how long the recorder has been publishing again what the bus has lost; 0 while it is not."),
	event.StoppedCounter:       heartbeatMetric(gauge, "libra_bus_stopped_seconds", "For how long a stream of the bus has stored nothing; 0 while all of them store."),
	event.RefusedCounter:       heartbeatMetric(gauge, "libra_bus_refused_seconds", "For how long no request is accepted because too many reports are not recorded; 0 while they are."),
	event.WaitingCounter:       heartbeatMetric(gauge, "libra_bus_watches_waiting", "Watches that are due and wait because their client has as many open requests as it may."),
	event.WaitingSinceCounter:  heartbeatMetric(gauge, "libra_bus_watches_waiting_seconds", "For how long the first of them has waited; 0 while none does."),
	"reports_unrecorded":       heartbeatMetric(gauge, "libra_bus_reports_unrecorded", "Reports in the bus that are not in the history yet."),
	state.BehindCounter:        heartbeatMetric(gauge, "libra_recorder_behind_seconds", "For how long the history has been behind; 0 while it is not."),
	"messages_delivered":       heartbeatMetric(counter, "libra_notifier_notifications_sent_total", "Notifications that a provider has accepted."),
	"deliveries_failed":        heartbeatMetric(counter, "libra_notifier_notifications_failed_total", "Attempts to send a notification that failed."),
}

// sinceCounters are a time in Unix seconds, 0 for none; their metrics are for how long.
var sinceCounters = []string{
	state.BehindCounter, event.StoppedCounter, event.RefusedCounter, event.RestoringCounter, event.PressureCounter, event.WaitingSinceCounter,
}

func heartbeatMetric(kind func(name, help string, labels ...string) metric, name, help string) *metric {
	m := kind(name, help, "component", "instance")
	return &m
}

// stateCollector reads what the server knows, but for the figures of single pages.
type stateCollector struct{ s *Server }

// Describe implements prometheus.Collector.
func (stateCollector) Describe(out chan<- *prometheus.Desc) {
	describe(out, buildInfo, webUp, webDegraded, webPages, webRequests, webCacheBytes, webCached, webState, webStateMax, webConns, webClosed, webStreams, webDropped,
		webSubmissions, limitNow, limitUse, limitRefused, limitLatency, openAlarms, alarmsUnknown, componentUp)
	for _, m := range heartbeatMetrics {
		if m != nil {
			describe(out, *m)
		}
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(out chan<- prometheus.Metric) {
	s, now := c.s, time.Now()
	counts := s.state.Memory.Counts()
	buildInfo.send(out, 1, s.cfg.Version)
	webUp.send(out, oneIf(s.state.Up().Serving()))
	webPages.send(out, float64(counts.Pages))
	webRequests.send(out, float64(counts.Open))
	webCacheBytes.send(out, float64(counts.ReportBytes))
	webCached.send(out, float64(counts.Reports))
	for _, u := range s.state.Usage() {
		webState.send(out, float64(u.Bytes), u.Part)
		webStateMax.send(out, float64(u.Bound), u.Part)
	}
	waiting, working, streams := s.conns.figures()
	webConns.send(out, float64(waiting), "waiting")
	webConns.send(out, float64(working), "working")
	webConns.send(out, float64(streams), "stream")
	webClosed.send(out, float64(s.conns.closed.Load()))
	webStreams.send(out, float64(s.state.Hub.Size()))
	webDropped.send(out, float64(s.state.Hub.Dropped()))
	webSubmissions.send(out, float64(s.api.Submitted()), "accepted")
	webSubmissions.send(out, float64(s.api.Refused()), "refused")
	c.admission(out)
	unknown := s.state.FreshAlarms().Stale
	alarmsUnknown.send(out, oneIf(unknown))
	open := s.state.Memory.OpenBySeverity()
	for _, severity := range libra.Severities() {
		if open[severity] > 0 || !unknown { // else it is unknown whether there is one
			openAlarms.send(out, float64(open[severity]), string(severity))
		}
	}
	c.degraded(out, now)
	c.components(out, now)
}

func (c stateCollector) admission(out chan<- prometheus.Metric) {
	for work, l := range map[string]*admission.Limiter{"store": c.s.state.Stores, "read": c.s.state.Reads} {
		f := l.Figures()
		limitNow.send(out, float64(f.Limit), work)
		limitUse.send(out, float64(f.Used), work, "working")
		limitUse.send(out, float64(f.Waiting), work, "waiting")
		limitRefused.send(out, float64(f.Refused), work)
		limitLatency.send(out, f.Latency.Seconds(), work, "newest")
		limitLatency.send(out, f.Unloaded.Seconds(), work, "unloaded")
	}
}

func (c stateCollector) degraded(out chan<- prometheus.Metric, now time.Time) {
	down := map[string]bool{"bus": false, state.SQLite: false}
	for _, c := range component.Required() {
		down[c.Name] = false
	}
	for _, d := range c.s.state.Degraded(now) {
		name, _, _ := strings.Cut(d.Part, "@")
		down[name] = true
	}
	for _, c := range c.s.state.Components(now) { // Degraded leaves them out while the bus is away
		down[c.Component] = down[c.Component] || c.State != state.Healthy
	}
	for component, is := range down {
		webDegraded.send(out, oneIf(is), component)
	}
}

// components reads the newest heartbeat of every component.
func (c stateCollector) components(out chan<- prometheus.Metric, now time.Time) {
	for _, h := range c.s.state.Memory.Instances() {
		b := h.Heartbeat
		componentUp.send(out, oneIf(c.s.state.Arriving(h)), b.Component, b.Instance, b.Version)
		for name, value := range b.Counters {
			m := heartbeatMetrics[name]
			if m == nil {
				continue
			}
			shown := float64(value)
			if strings.HasSuffix(name, "_us") {
				shown /= 1e6
			}
			if slices.Contains(sinceCounters, name) && value > 0 {
				shown = max(0, now.Sub(time.Unix(value, 0)).Seconds())
			}
			m.send(out, shown, b.Component, b.Instance)
		}
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
