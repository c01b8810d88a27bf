package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// inQuarantine is the answer to a submission of a page that is left alone.
func inQuarantine(id, url string, a answers) *problem {
	return newProblem(problemURN+"quarantined", "In quarantine", http.StatusConflict, libra.Reason{
		Code:   libra.CodeQuarantined,
		Text:   fmt.Sprintf("the page %q is not weighed, it is in quarantine since %s (%s)", url, stamp(a.bad.at), a.bad.what()),
		Remedy: howToRelease(id),
	})
}

// quarantine says whether a page may not be submitted. Memory knows; only while
// it does not hold every page is the bus asked.
func (s *Server) quarantine(ctx context.Context, id, url string) *problem {
	v, known := s.memory.page(id)
	if loaded, _ := s.memory.ready(); !known && (!loaded || s.memory.counts().Pages >= s.cfg.MaxPages) {
		v, _ = s.seek(ctx, id) // what cannot be found out is for the inspector to refuse
	}
	if v.page().State != libra.Quarantined {
		return nil
	}
	return inQuarantine(id, url, v.answers)
}

func (s *Server) postRelease(w http.ResponseWriter, r *http.Request) {
	doc, p := s.release(r)
	if p != nil {
		s.fail(w, r, p)
		return
	}
	w.Header().Set("Location", "/api/pages/"+doc.ID)
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusAccepted, doc)
}

func (s *Server) postReleaseForm(w http.ResponseWriter, r *http.Request) {
	doc, p := s.release(r)
	if p != nil {
		s.fail(w, r, p)
		return
	}
	http.Redirect(w, r, "/pages/"+doc.ID, http.StatusSeeOther)
}

// release asks for a page that is in quarantine. Asking again while that is
// under way is the same request.
func (s *Server) release(r *http.Request) (accepted, *problem) {
	id := r.PathValue("id")
	if !isPageID(id) {
		return accepted{}, noPage(id)
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	v, err := s.find(ctx, id)
	if err != nil {
		return accepted{}, unfound(id, err)
	}
	if !v.quarantined() {
		return accepted{}, newProblem(problemURN+"not-quarantined", "Not in quarantine", http.StatusConflict, libra.Reason{Code: libra.CodeNotQuarantined, Text: fmt.Sprintf("the page %q is not in quarantine", v.url), Remedy: "POST its URL to /api/pages to have it weighed"})
	}
	doc, p := s.ask(ctx, r, event.Request{URL: v.url, Release: true})
	if p != nil || doc.Note == "" {
		return doc, p
	}
	open, err := s.openRequest(ctx, id)
	if errors.Is(err, libra.ErrNotFound) || err == nil && !open.Release {
		return accepted{}, unavailable("open-request", libra.CodeRequestOpen, fmt.Sprintf("the page %q was not released, an earlier request for it is being answered", v.url), "try again in a few seconds")
	}
	return doc, nil
}
