package trace

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// The JSON of OTLP 1.x, ExportTraceServiceRequest
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding): ids in hexadecimal, 64-bit
// numbers as strings.

type otlpSpan struct {
	TraceID    string      `json:"traceId"`
	SpanID     string      `json:"spanId"`
	ParentID   string      `json:"parentSpanId,omitempty"`
	Name       string      `json:"name"`
	Kind       kind        `json:"kind"`
	Start      string      `json:"startTimeUnixNano"`
	End        string      `json:"endTimeUnixNano"`
	Attributes []otlpValue `json:"attributes,omitempty"`
	Status     *otlpStatus `json:"status,omitempty"`
}

type otlpValue struct {
	Key   string `json:"key"`
	Value struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
		Bool   *bool   `json:"boolValue,omitempty"`
	} `json:"value"`
}

// otlpStatus is an error: a span without one has no status.
type otlpStatus struct {
	Message string `json:"message"`
	Code    int    `json:"code"`
}

const statusError = 2

// encode is a span as JSON.
func encode(s Span) ([]byte, error) {
	o := otlpSpan{
		TraceID: s.Trace.String(), SpanID: s.ID.String(), Name: s.Name, Kind: s.kind,
		Start: nanos(s.Start), End: nanos(s.End), Attributes: values(s.Attributes),
	}
	if s.Parent.IsValid() {
		o.ParentID = s.Parent.String()
	}
	if s.Error != "" {
		o.Status = &otlpStatus{s.Error, statusError}
	}
	return json.Marshal(o)
}

func values(attributes map[string]any) (list []otlpValue) {
	for key, value := range attributes {
		o := otlpValue{Key: key}
		switch v := value.(type) {
		case string:
			o.Value.String = &v
		case bool:
			o.Value.Bool = &v
		case int64:
			number := strconv.FormatInt(v, 10)
			o.Value.Int = &number
		}
		list = append(list, o)
	}
	return list
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// scope names the instrumentation: this package.
const scope = "libra/pkg/trace"

// encoded is a span as JSON.
type encoded struct {
	component string
	data      []byte
}

// body is a request to a collector: spans, and the resource of each component among them.
func body(spans []encoded, resource func(component string) []otlpValue) ([]byte, error) {
	var components []string
	of := map[string][][]byte{}
	for _, s := range spans {
		if of[s.component] == nil {
			components = append(components, s.component)
		}
		of[s.component] = append(of[s.component], s.data)
	}
	var b bytes.Buffer
	b.WriteString(`{"resourceSpans":[`)
	for i, c := range components {
		attributes, err := json.Marshal(resource(c))
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"resource":{"attributes":`)
		b.Write(attributes)
		b.WriteString(`},"scopeSpans":[{"scope":{"name":"` + scope + `"},"spans":[`)
		b.Write(bytes.Join(of[c], []byte(",")))
		b.WriteString(`]}]}`)
	}
	b.WriteString(`]}`)
	return b.Bytes(), nil
}

// rejected is how many spans a collector has not taken, by its answer to a request that
// succeeded. An answer that cannot be read rejects none.
func rejected(answer []byte) int64 {
	var response struct {
		PartialSuccess struct {
			Rejected json.Number `json:"rejectedSpans"` // also as a string
		} `json:"partialSuccess"`
	}
	if err := json.Unmarshal(answer, &response); err != nil {
		return 0
	}
	n, err := response.PartialSuccess.Rejected.Int64()
	if err != nil || n < 0 {
		return 0
	}
	return n
}
