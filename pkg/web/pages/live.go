package pages

import (
	"net/http"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/api"
)

// livePage is the document of the live page: what its script draws into.
type livePage struct {
	Charts []chart
}

// chart is one of the charts: its name for the script, and in words.
type chart struct{ Name, Title string }

var charts = []chart{
	{"inspections", "Inspections per second"},
	{"cpu", "Processors in use"},
	{"memory", "Memory"},
	{"queue", "Open requests"},
	{"age", "Age of the oldest request"},
	{"connections", "Connections"},
}

// GetLive serves GET /live. Its script asks for /api/live.
func (s *Pages) GetLive(w http.ResponseWriter, r *http.Request) {
	s.renderLive(w, r, http.StatusOK, "live", layout{Title: "Live", Scripts: []string{"live.js"}, Document: livePage{charts}})
}

// lookPage is the document of one inspection in progress.
type lookPage struct {
	api.LookDoc
	Age  time.Duration
	Name string // that the reader gave last
}

// lookEvery is how often the page of an inspection asks again.
const lookEvery = 2 * time.Second

// GetLook serves GET /live/{request}.
func (s *Pages) GetLook(w http.ResponseWriter, r *http.Request) {
	request := r.PathValue("request")
	look, p := s.api.Look(r, request)
	if p != nil {
		if page, ok := s.state.Memory.PageOfReport(request); ok {
			http.Redirect(w, r, api.At(r, "/pages/"+page), http.StatusSeeOther) // it has ended
			return
		}
		s.api.Fail(w, r, p)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	s.renderLive(w, r, http.StatusOK, "look", layout{Title: "Inspection of " + api.Short(shortURL(look.URL), 60), Nav: "/live", Refresh: true, Poll: lookEvery, Document: lookPage{look, max(0, look.At.Sub(look.Since)), nameOf(r)}})
}

// PostEndInspection serves POST /live/{request}/end.
func (s *Pages) PostEndInspection(w http.ResponseWriter, r *http.Request) {
	p := s.person(w, r)
	var look event.Look
	if p == nil {
		look, p = s.api.End(r, r.PathValue("request"))
	}
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	http.Redirect(w, r, api.At(r, "/pages/"+look.Page), http.StatusSeeOther)
}

// stepText is a step of an inspection in words.
func stepText(step libra.Step) string {
	if label, ok := stepLabels[step]; ok {
		return label
	}
	return string(step)
}
