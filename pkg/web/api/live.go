package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/live"
)

// Live is the live view, with samples from a number on. Asking for it has it collected for
// three seconds more.
func (s *API) Live(from int64) live.Doc {
	now := time.Now()
	s.state.Live.Look(now)
	return s.state.Live.Doc(from, now)
}

// GetLive serves GET /api/live.
func (s *API) GetLive(w http.ResponseWriter, r *http.Request) {
	from, err := int64(0), error(nil)
	if text := r.URL.Query().Get("from"); text != "" {
		if from, err = strconv.ParseInt(text, 10, 64); err != nil || from < 0 {
			s.Fail(w, r, BadRequest("from", fmt.Sprintf("invalid from %.50q", text), "must be the next of an answer before, or left out"))
			return
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, s.Live(from))
}

// LookDoc is what GET /api/live/{request} answers.
type LookDoc struct {
	event.Look
	Journal      []string `json:"journal"`                 // lines that name the request, the oldest first
	JournalFault string   `json:"journal_fault,omitempty"` // why they could not be read
}

// mostLooks is how many inspections are looked into at a time, and how many are ended: an
// inspector stops for a moment to list its goroutines, and the journal is read.
const mostLooks = 4

// Look asks the inspector of a request what it does, and reads what its journal says.
func (s *API) Look(r *http.Request, request string) (doc LookDoc, p *Problem) {
	doc.Look, p = s.askInspector(r, s.looks, event.Ask{Do: event.AskLook, Request: request}, func(look event.Look) {
		doc.Journal, doc.JournalFault = s.state.Journal(r.Context(), look)
	})
	return doc, p
}

// End ends the inspection of a request. Without a problem its inspector has said that it
// will.
func (s *API) End(r *http.Request, request string) (event.Look, *Problem) {
	c, p := s.clientOf(r)
	if p != nil {
		return event.Look{}, p
	}
	return s.askInspector(r, s.ends, event.Ask{Do: event.AskEnd, Request: request, By: c.label}, func(look event.Look) {
		s.log.Warn("an operator ends an inspection", "request", request, "page", look.Page, "inspector", look.Inspector, "by", c.name())
	})
}

// askInspector asks the inspector of a request in one of the slots, and calls answered with
// its answer before the slot is free.
func (s *API) askInspector(r *http.Request, slots chan struct{}, ask event.Ask, answered func(event.Look)) (event.Look, *Problem) {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	default:
		return event.Look{}, unavailable("overloaded", libra.CodeOverloaded, "as many inspections are looked into, or ended, as can be at a time", "try again in a second")
	}
	look, err := s.state.AskInspector(r.Context(), ask)
	switch {
	case errors.Is(err, libra.ErrNotFound):
		return look, NewProblem(ProblemURN+"not-running", "No such inspection", http.StatusNotFound, libra.Reason{
			Code: libra.CodeNotFound, Text: fmt.Sprintf("no inspector has request %.80q in progress", ask.Request), Remedy: "/live lists those that are in progress",
		}).of(About{ID: ask.Request})
	case err != nil:
		return look, unavailable("not-readable", libra.CodeBusAway, "the inspectors cannot be asked right now: the bus is away", "try again in a few seconds")
	}
	answered(look)
	return look, nil
}

// GetLook serves GET /api/live/{request}.
func (s *API) GetLook(w http.ResponseWriter, r *http.Request) {
	look, p := s.Look(r, r.PathValue("request"))
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, look)
}

// endedDoc is what POST /api/live/{request}/end answers.
type endedDoc struct {
	Request   string `json:"request"`
	Page      string `json:"page"`
	URL       string `json:"url"`
	Inspector string `json:"inspector"`
}

// PostEnd serves POST /api/live/{request}/end. The report of the page follows within two
// seconds.
func (s *API) PostEnd(w http.ResponseWriter, r *http.Request) {
	look, p := s.End(r, r.PathValue("request"))
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	w.Header().Set("Location", At(r, "/api/pages/"+look.Page))
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusAccepted, endedDoc{look.Request, look.Page, look.URL, look.Inspector})
}
