package pages

import (
	"net/http"

	"libra/pkg/libra"
	"libra/pkg/web/api"
	"libra/pkg/web/state"
)

// statusPage is the document of the status page.
type statusPage struct {
	Status any // state.State.Status
	Hosts  hostList
}

// hostList is the hosts whose pages are not inspected as usual.
type hostList struct {
	List    []state.HostView
	Unknown *unknownNote
	Name    string // that the reader gave last
}

func (s *Pages) hosts(r *http.Request) hostList {
	doc := s.api.Hosts()
	return hostList{doc.Hosts, noteOf(doc.Freshness), nameOf(r)}
}

// PostHold serves POST /hosts: it holds a host, or releases it.
func (s *Pages) PostHold(w http.ResponseWriter, r *http.Request) {
	p := s.person(w, r)
	if p == nil {
		if host := r.PostForm.Get("host"); r.PostForm.Get("state") == "" {
			_, p = s.api.ReleaseHost(r, host)
		} else {
			_, p = s.api.HoldHost(r, host, libra.HostState(r.PostForm.Get("state")), r.PostForm.Get("why"))
		}
	}
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	http.Redirect(w, r, api.At(r, "/status#hosts"), http.StatusSeeOther)
}
