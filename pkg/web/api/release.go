package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/state"
)

// inQuarantine is the answer to a submission of a quarantined page.
func inQuarantine(id, url string, a state.Answers) *Problem {
	return NewProblem(ProblemURN+"quarantined", "In quarantine", http.StatusConflict, libra.Reason{
		Code:   libra.CodeQuarantined,
		Text:   fmt.Sprintf("the page %q is not inspected, it is in quarantine since %s (%s)", url, libra.FormatTime(a.Bad.At), a.Bad.What()),
		Remedy: state.HowToRelease(id),
	}).of(About{ID: id, URL: url, At: a.Bad.At, Why: a.Bad.What()})
}

// quarantine reports whether a page may not be submitted. Memory knows; only while
// it does not hold every page is the bus asked.
func (s *API) quarantine(ctx context.Context, id, url string) *Problem {
	v, known := s.state.Memory.Page(id)
	if loaded, _ := s.state.Memory.Ready(); !known && (!loaded || s.state.Memory.Evicted()) {
		v, _ = s.state.Seek(ctx, id) // if it cannot be read, the inspector refuses the page
	}
	if v.Page().State != libra.Quarantined {
		return nil
	}
	return inQuarantine(id, url, v.Answers)
}

// PostRelease serves POST /api/pages/{id}/release.
func (s *API) PostRelease(w http.ResponseWriter, r *http.Request) {
	doc, p := s.Release(r)
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	w.Header().Set("Location", At(r, "/api/pages/"+doc.ID))
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusAccepted, doc)
}

// Release asks for a page that is in quarantine. Asking again while that is
// under way is the same request.
func (s *API) Release(r *http.Request) (accepted, *Problem) {
	id := r.PathValue("id")
	if !state.IsPageID(id) {
		return accepted{}, noPage(id)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	slot, p := s.storing(ctx, r)
	if p != nil {
		return accepted{}, p
	}
	defer slot.End()
	v, err := s.state.Find(ctx, id)
	if err != nil {
		return accepted{}, unfound(id, err)
	}
	if !v.Quarantined() {
		return accepted{}, NewProblem(ProblemURN+"not-quarantined", "Not in quarantine", http.StatusConflict, libra.Reason{Code: libra.CodeNotQuarantined, Text: fmt.Sprintf("the page %q is not in quarantine", v.URL), Remedy: "POST its URL to /api/pages to have it inspected"}).of(About{ID: id, URL: v.URL})
	}
	w, _ := s.state.Watches.Of(id)
	req, p := s.request(r, event.Request{URL: v.URL, SchemeGuessed: w.SchemeGuessed, Release: true})
	if p != nil {
		return accepted{}, p
	}
	doc, p := s.ask(ctx, r, req)
	if p != nil || doc.Note == "" {
		return doc, p
	}
	open, err := s.state.OpenRequest(ctx, id)
	if errors.Is(err, libra.ErrNotFound) || err == nil && !open.Release {
		return accepted{}, unavailable("open-request", libra.CodeRequestOpen, fmt.Sprintf("the page %q was not released, an earlier request for it is being answered", v.URL), "try again in a few seconds")
	}
	return doc, nil
}
