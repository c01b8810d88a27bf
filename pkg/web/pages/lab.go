package pages

import (
	"net/http"
	"strconv"

	"libra/pkg/labapi"
	"libra/pkg/web/api"
)

// labPage is the document of the lab: the charts of the live page, and what can be set.
type labPage struct {
	livePage
	On    bool // libra-web may ask libra-lab
	Away  bool // libra-lab does not answer
	State labapi.State
}

// labGroup is what the lab can do of one group.
type labGroup struct {
	Name   string
	OfUnit bool
	Kinds  []labapi.Kind
}

// Groups lists what the lab can do.
func (p labPage) Groups() (list []labGroup) {
	for _, k := range p.State.Kinds {
		if n := len(list); n == 0 || list[n-1].Name != k.Group {
			list = append(list, labGroup{k.Group, k.OfUnit, nil})
		}
		list[len(list)-1].Kinds = append(list[len(list)-1].Kinds, k)
	}
	return list
}

// GetLab serves GET /lab.
func (s *Pages) GetLab(w http.ResponseWriter, r *http.Request) {
	doc := labPage{livePage: livePage{charts}, On: s.cfg.Lab}
	l := layout{Title: "Lab"}
	if doc.On {
		doc.Away = s.api.Lab(r.Context(), http.MethodGet, "", nil, &doc.State) != nil
		l.Scripts = []string{"live.js", "lab.js"}
	}
	l.Document = doc
	w.Header().Set("Cache-Control", "no-store")
	s.renderLive(w, r, http.StatusOK, "lab", l)
}

// PostLab serves POST /lab: it sets a dial, does something, or resets the lab.
func (s *Pages) PostLab(w http.ResponseWriter, r *http.Request) {
	p := api.ReadForm(w, r)
	if p == nil && s.cfg.Lab { // else the page says how to turn it on
		p = s.operate(r)
	}
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	http.Redirect(w, r, api.At(r, "/lab"), http.StatusSeeOther)
}

func (s *Pages) operate(r *http.Request) *api.Problem {
	path := map[string]string{"dial": "/dial", "inspectors": "/inspectors", "reset": "/reset", "": "/do"}[r.PostForm.Get("set")]
	var body any
	switch path {
	case "":
		return api.BadRequest("set", "invalid set "+strconv.Quote(api.Short(r.PostForm.Get("set"), 60)), "must be dial, inspectors or reset")
	case "/dial", "/inspectors":
		n, err := strconv.Atoi(r.PostForm.Get("value"))
		if err != nil {
			return api.BadRequest("value", "invalid value "+strconv.Quote(api.Short(r.PostForm.Get("value"), 60)), "must be a whole number")
		}
		body = labapi.Dial{Value: n}
	case "/do":
		body = labapi.Do{Action: r.PostForm.Get("action"), Unit: r.PostForm.Get("unit")}
	}
	var answer any
	return s.api.Lab(r.Context(), http.MethodPost, path, body, &answer)
}
