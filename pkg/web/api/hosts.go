package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/state"
	"libra/pkg/weburl"
)

// hostsDoc is what GET /api/hosts answers.
type hostsDoc struct {
	Hosts []state.HostView `json:"hosts"` // never null; by name
	state.Freshness
}

// Hosts lists the hosts whose pages are not inspected as usual.
func (s *API) Hosts() hostsDoc {
	return hostsDoc{Hosts: s.state.Hosts.List(time.Now()), Freshness: s.state.FreshHosts()}
}

// GetHosts serves GET /api/hosts.
func (s *API) GetHosts(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.Hosts())
}

const holdExample = `{"state": "open", "why": "maintenance"}`

// PostHold serves POST /api/hosts/{host}/hold.
func (s *API) PostHold(w http.ResponseWriter, r *http.Request) {
	var asked, why string
	p := readFields(w, r, "state", holdExample, map[string]any{"state": &asked, "why": &why})
	if p == nil {
		var hold event.Hold
		if hold, p = s.HoldHost(r, r.PathValue("host"), libra.HostState(asked), why); p == nil {
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusOK, hold)
			return
		}
	}
	s.Fail(w, r, p)
}

// HoldHost holds the breaker of a host open or closed. Without a problem that is
// durable.
func (s *API) HoldHost(r *http.Request, host string, want libra.HostState, why string) (hold event.Hold, p *Problem) {
	if want != libra.HostOpen && want != libra.HostClosed {
		return hold, BadRequest("state", fmt.Sprintf("invalid state %.50q", want), `must be "open" (no page of the host is inspected) or "closed" (each is)`)
	}
	if host, p = hostName(host); p != nil {
		return hold, p
	}
	if why, p = Words("why", why); p != nil {
		return hold, p
	}
	return s.setHold(r, event.Hold{Host: host, State: want, Why: event.Cut(why, event.MaxHostWhy)})
}

// DeleteHold serves DELETE /api/hosts/{host}/hold.
func (s *API) DeleteHold(w http.ResponseWriter, r *http.Request) {
	hold, p := s.ReleaseHost(r, r.PathValue("host"))
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, hold)
}

// ReleaseHost has the inspectors decide again about a host that is held. Without a
// problem that is durable.
func (s *API) ReleaseHost(r *http.Request, host string) (hold event.Hold, p *Problem) {
	if host, p = hostName(host); p != nil {
		return hold, p
	}
	if _, held := s.state.Hosts.Hold(host); !held {
		if f := s.state.FreshHosts(); f.Stale {
			return hold, unavailable("not-readable", libra.CodeNotReadable, fmt.Sprintf("whether host %q is held cannot be read from the bus right now", host), "try again in a few seconds")
		}
		return hold, NewProblem(ProblemURN+"not-held", "Host not held", http.StatusNotFound, libra.Reason{Code: libra.CodeNotFound, Text: fmt.Sprintf("host %q is not held", host), Remedy: "give a host that /api/hosts lists with a hold"})
	}
	return s.setHold(r, event.Hold{Host: host})
}

func (s *API) setHold(r *http.Request, hold event.Hold) (event.Hold, *Problem) {
	by, p := s.whoSent(r)
	if p != nil {
		return hold, p
	}
	hold.By, hold.At = event.Cut(by, event.MaxHostWhy), time.Now().UTC()
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	p, err := s.store(ctx, r, func(ctx context.Context) error { return s.conn.SetHold(ctx, hold) })
	if p != nil {
		return hold, p
	}
	if err != nil {
		s.log.Warn("hold refused", "host", hold.Host, "state", hold.State, "by", hold.By, "err", err)
		return hold, notStored("the hold", err)
	}
	s.log.Info("host held", "host", hold.Host, "state", hold.State, "by", hold.By, "why", hold.Why)
	s.state.Hosts.OnHold(hold)
	return hold, nil
}

// hostName reads the host of a page, with a port where it has one, as inspectors name
// it; a URL of the host will do.
func hostName(text string) (string, *Problem) {
	text = strings.TrimSpace(text)
	address := text
	if !strings.Contains(text, "://") {
		address = "https://" + text
	}
	u, err := weburl.Parse(address)
	if err != nil || u.Host() == "" || len(u.Host()) > event.MaxHost || u.HasCredentials() {
		return "", BadRequest("host", fmt.Sprintf("invalid host %.100q", text), "must be a host such as example.org or 127.0.0.1:8000")
	}
	return u.Host(), nil
}
