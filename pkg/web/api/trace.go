package api

import (
	"fmt"
	"net/http"

	"libra/pkg/libra"
	"libra/pkg/trace"
	"libra/pkg/web/state"
)

// traceDoc is what GET /api/pages/{id}/trace answers.
type traceDoc struct {
	Request string       `json:"request"` // that the report shown answers
	TraceID string       `json:"trace_id"`
	Spans   []trace.Span `json:"spans"` // see trace.Spans
}

// GetTrace serves GET /api/pages/{id}/trace.
func (s *API) GetTrace(w http.ResponseWriter, r *http.Request) {
	page, p := s.Page(r.Context(), r.PathValue("id"))
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	reported, known, err := state.Decode(page.ID, page.Report)
	if err != nil {
		panic(err) // we encoded it
	}
	if !known {
		s.Fail(w, r, noTrace(page))
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, traceDoc{Request: reported.Request.ID, TraceID: trace.ID(reported.Request), Spans: trace.Spans(reported)})
}

// noTrace is the problem of a page of which no whole report can be read, or none is there.
func noTrace(page pageDoc) *Problem {
	if page.Stale && page.Latest != nil {
		return unavailable("not-readable", libra.CodeNotReadable, fmt.Sprintf("the report of page %q cannot be read right now", page.ID), "try again in a few seconds")
	}
	return NewProblem(ProblemURN+"no-report", "No report yet", http.StatusNotFound, libra.Reason{
		Code: libra.CodeNotFound, Text: fmt.Sprintf("page %q has no report yet", page.ID), Remedy: "try again when its state is reported",
	}).of(About{ID: page.ID, URL: page.URL})
}
