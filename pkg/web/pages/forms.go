package pages

import (
	"net/http"

	"libra/pkg/web/api"
)

// PostRelease serves POST /pages/{id}/release.
func (s *Pages) PostRelease(w http.ResponseWriter, r *http.Request) {
	doc, p := s.api.Release(r)
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	http.Redirect(w, r, api.At(r, "/pages/"+doc.ID), http.StatusSeeOther)
}

// PostPage serves POST /pages.
func (s *Pages) PostPage(w http.ResponseWriter, r *http.Request) {
	if p := api.ReadForm(w, r); p != nil {
		s.api.Fail(w, r, p)
		return
	}
	doc, p := s.api.Submit(r, r.PostForm.Get("url"))
	switch {
	case p == nil:
		http.Redirect(w, r, api.At(r, "/pages/"+doc.ID), http.StatusSeeOther)
	case p.Status == http.StatusBadRequest && api.Accepts(r, "text/html"):
		s.renderHome(w, r, p.Status, r.PostForm.Get("url"), p.Detail) // the form again, with what was typed
	default:
		s.api.Fail(w, r, p)
	}
}

// PostWatch takes the form of a page. It keeps the budget that the watch
// has.
func (s *Pages) PostWatch(w http.ResponseWriter, r *http.Request) {
	p := api.ReadForm(w, r)
	if p == nil {
		p = s.watchAgain(r, r.PathValue("id"), r.PostForm.Get("every"))
	}
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	http.Redirect(w, r, api.At(r, "/pages/"+r.PathValue("id")+"#watch"), http.StatusSeeOther)
}

func (s *Pages) watchAgain(r *http.Request, id, every string) *api.Problem {
	page, p := s.api.Page(r.Context(), id)
	if p != nil {
		return p
	}
	_, p = s.api.Watch(r, page.URL, api.WatchAsked{Every: every, KeepBudget: true})
	return p
}
