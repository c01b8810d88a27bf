// Package pages is libra-web's HTML: templates, static files and the forms. It
// shows the documents of package api, and what a form asks for goes the way of
// the API. Every page works without scripts.
package pages

import (
	"libra/pkg/web/api"
	"libra/pkg/web/state"
)

// Config is as in web.Config, which documents and fills in every field.
type Config struct {
	Version    string
	RunbookURL string
	MaxList    int
	Lab        bool // libra-web may ask libra-lab
}

// Pages answers browsers.
type Pages struct {
	cfg   Config
	state *state.State
	api   *api.API
}

// New makes the pages, which from then on show the API's problems to browsers.
func New(cfg Config, st *state.State, a *api.API) *Pages {
	p := &Pages{cfg: cfg, state: st, api: a}
	a.OnHTMLProblem(p.RenderProblem)
	return p
}
