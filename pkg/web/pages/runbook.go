package pages

import (
	"html/template"
	"net/http"

	"libra/docs"
	"libra/pkg/web/runbook"
)

// RunbookPath is where the runbook is served, for a reader without a checkout, on a
// phone.
const RunbookPath = "/runbook"

// book is the runbook of docs/operations.md.
var book = runbook.Read(docs.Operations)

// runbookPage is what /runbook shows.
type runbookPage struct {
	Intro    template.HTML
	Sections []runbook.Section
}

// GetRunbook serves GET /runbook.
func (s *Pages) GetRunbook(w http.ResponseWriter, r *http.Request) {
	var doc runbookPage
	doc.Intro, doc.Sections = book.All()
	s.renderLive(w, r, http.StatusOK, "runbook", layout{Title: "Runbook", Nav: "/alarms", Document: doc})
}
