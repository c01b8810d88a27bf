package wire

import (
	"context"
	"os"

	"libra/pkg/daemon"
	"libra/pkg/trace"
)

// Traces is the collector to which a process exports spans, from its setting.
type Traces struct{ endpoint string }

// Setting of a process that exports spans.
func (t *Traces) Setting() daemon.Setting {
	return daemon.Setting{
		Name: "otlp-endpoint", Usage: "`URL` of an OpenTelemetry collector to which traces are exported, over OTLP/HTTP", Effect: "nothing is exported",
		Into: daemon.WebURL(&t.endpoint, "http://127.0.0.1:4318"),
	}
}

// Start exports until ctx ends, and then for a moment more; nil without a collector.
func (t *Traces) Start(ctx context.Context, p *daemon.Process, instance string) *trace.Exporter {
	host, _ := os.Hostname() // without one, spans have no name of a host
	e := trace.New(trace.Config{Endpoint: t.endpoint, Component: p.Name, Version: daemon.Version, Instance: instance, Host: host, Log: p.Log})
	if e == nil {
		return nil
	}
	p.Count("spans_exported", e.Exported)
	p.Count("spans_dropped", e.Dropped)
	p.Cleanup("traces", e.Wait)
	go e.Run(ctx)
	return e
}
