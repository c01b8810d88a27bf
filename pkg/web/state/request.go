package state

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

// RequestDoc is the request that a report answers, in the report's document. The spans of
// the request are drawn from both.
type RequestDoc struct {
	ID      string `json:"id"`
	TraceID string `json:"trace_id"`
	// Traceparent is what who asked sent; "" where the trace begins with the request.
	Traceparent string    `json:"traceparent,omitempty"`
	Asked       time.Time `json:"asked"`
	Claimed     time.Time `json:"claimed,omitzero"` // left out of reports of earlier versions
	Published   time.Time `json:"published"`
	Attempt     int       `json:"attempt"`
	Inspector   string    `json:"inspector"`
	Watched     bool      `json:"watched"` // it was made because the page's watch was due
}

func requestOf(r event.Reported) *RequestDoc {
	return &RequestDoc{
		ID: r.Request.ID, TraceID: trace.ID(r.Request), Traceparent: trace.Valid(r.Request.Traceparent), Asked: r.Request.Asked,
		Claimed: r.Claimed, Published: r.At, Attempt: r.Attempt, Inspector: r.Inspector, Watched: r.Request.Watch != nil,
	}
}

// reportDoc is a report and its request as JSON. It is not to be decoded: see
// libra.Report.UnmarshalJSON.
type reportDoc struct {
	libra.Report
	Request *RequestDoc `json:"request,omitempty"`
}

// Encode is the JSON of a report and its request, with the lists that must not be null
// made so.
func Encode(r event.Reported) ([]byte, error) { return encode(r.Report, requestOf(r)) }

// EncodeTotals is what Encode is for a report of which no more than a summary is known.
func EncodeTotals(r libra.Report) ([]byte, error) { return encode(r, nil) }

func encode(r libra.Report, request *RequestDoc) ([]byte, error) {
	if r.Reasons == nil {
		r.Reasons = []string{}
	}
	if r.Assets == nil {
		r.Assets = []libra.Asset{}
	}
	if r.Totals.ByType == nil {
		r.Totals.ByType = map[libra.ResourceType]libra.Size{}
	}
	data, err := json.Marshal(reportDoc{r, request})
	if err != nil {
		return nil, fmt.Errorf("encode report of %q: %w", r.URL, err)
	}
	return data, nil
}

// Decode reads what Encode has written of a page. ok is false where the request is not
// known.
func Decode(page string, data []byte) (r event.Reported, ok bool, err error) {
	var of struct {
		Request *RequestDoc `json:"request"`
	}
	if err := cmp.Or(json.Unmarshal(data, &r.Report), json.Unmarshal(data, &of)); err != nil {
		return r, false, fmt.Errorf("read report of page %s: %w", page, err)
	}
	d := of.Request
	if d == nil {
		return r, false, nil
	}
	r.Request = event.Request{ID: d.ID, Page: page, URL: r.Report.URL, Asked: d.Asked, Traceparent: d.Traceparent}
	if d.Watched {
		r.Request.Watch = &event.Watch{}
	}
	r.At, r.Claimed, r.Attempt, r.Inspector = d.Published, d.Claimed, d.Attempt, d.Inspector
	return r, true, nil
}
