package web_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/web"
)

// What components say of themselves is in status and metrics, and their
// silence is noticed.
func TestStatus(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{}).connected()
	beat := func() {
		h.beat(event.Heartbeat{Component: "libra-inspector", Instance: "1", Version: daemon.Version, PID: 7, Started: noon, At: time.Now(), Status: "2 of 4 busy", Counters: map[string]int64{"reports_published": 42}})
	}
	var doc struct {
		Status     string
		Degraded   []struct{ Part string }
		Components []struct {
			Component, Instance, Version, Status string
			Up                                   bool
			Since                                time.Time
			AgeMS                                int64 `json:"age_ms"`
		}
	}
	bustest.Await(t, "the heartbeat", func() bool {
		beat() // lost while web has not subscribed
		h.get("/api/status").into(t, &doc)
		return doc.Components[0].Up
	})
	if c := doc.Components[0]; c.Component != "libra-inspector" || c.Status != "2 of 4 busy" || !c.Since.Equal(noon) || c.AgeMS > 300 {
		t.Errorf("component = %+v", c)
	}
	const up = `libra_component_up{component="libra-inspector",instance="1",version="0.0.0"} 1`
	var metrics string
	bustest.Await(t, "the heartbeat in the metrics", func() bool {
		beat()
		metrics = h.get("/metrics").body
		return strings.Contains(metrics, up)
	})
	for _, want := range []string{
		`libra_inspector_reports_published_total{component="libra-inspector",instance="1"} 42`,
		`libra_web_requests_total{code="200",route="/api/status"}`,
		`libra_web_request_duration_seconds_bucket{route="/api/status",le="+Inf"}`,
		`libra_build_info{version="0.0.0"} 1`, `libra_web_degraded{component="bus"} 0`, "libra_web_cache_bytes 0",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s:\n%s", want, metrics)
		}
	}
	bustest.Await(t, "its silence to be noticed", func() bool {
		h.get("/api/status").into(t, &doc)
		out, _ := json.Marshal(doc.Degraded)
		return !doc.Components[0].Up && strings.Contains(string(out), "libra-inspector")
	})
	if html := h.get("/status", "Accept", "text/html"); !strings.Contains(html.body, ">unknown<") || !strings.Contains(html.body, "accepted inspections wait") {
		t.Errorf("/status:\n%s", html.body)
	}
	h.bus.Down()
	bustest.Await(t, "silence to say nothing without a bus", func() bool {
		html := h.get("/status", "Accept", "text/html").body
		return strings.Contains(html, ">unknown<") && !strings.Contains(html, ">down<")
	})
}
