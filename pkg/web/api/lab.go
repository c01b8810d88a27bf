package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"libra/pkg/labapi"
	"libra/pkg/libra"
)

// Lab asks libra-lab for a path below labapi.Path, with body, and reads its answer into
// into. It needs no bus.
func (s *API) Lab(ctx context.Context, method, path string, body, into any) *Problem {
	if s.lab == nil {
		return PlainProblem(http.StatusNotFound, libra.CodeNotFound, "the lab is off", "set LIBRA_LAB=on in libra.env, then systemctl restart libra-web and systemctl start libra-lab")
	}
	err := s.lab.Call(ctx, method, path, body, into)
	var refused *labapi.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return PlainProblem(refused.Status, libra.CodeInvalidParameter, refused.Text, refused.Remedy)
	}
	s.log.Warn("libra-lab does not answer", "err", err)
	return PlainProblem(http.StatusServiceUnavailable, libra.CodeComponentSilent, "libra-lab does not answer", "systemctl start libra-lab; its reasons are in journalctl -u libra-lab")
}

// GetLab serves GET /api/lab.
func (s *API) GetLab(w http.ResponseWriter, r *http.Request) {
	s.passOn(w, r, "", nil, http.StatusOK)
}

// PostDial serves POST /api/lab/dial.
func (s *API) PostDial(w http.ResponseWriter, r *http.Request) {
	s.postLab(w, r, "/dial", http.StatusOK)
}

// PostInspectors serves POST /api/lab/inspectors.
func (s *API) PostInspectors(w http.ResponseWriter, r *http.Request) {
	s.postLab(w, r, "/inspectors", http.StatusOK)
}

// PostDo serves POST /api/lab/do.
func (s *API) PostDo(w http.ResponseWriter, r *http.Request) {
	s.postLab(w, r, "/do", http.StatusAccepted)
}

// PostReset serves POST /api/lab/reset. Its body has no meaning.
func (s *API) PostReset(w http.ResponseWriter, r *http.Request) {
	s.passOn(w, r, "/reset", nil, http.StatusOK)
}

// postLab passes a JSON body on.
func (s *API) postLab(w http.ResponseWriter, r *http.Request, path string, code int) {
	p := mediaType(r, "application/json")
	var body []byte
	if p == nil {
		var err error
		if body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			p = bodyProblem(err, "the request")
		} else if !json.Valid(body) {
			p = BadRequest("body", "the body is not JSON", `send JSON such as {"value": 20}, or {"action": "kill", "unit": "libra-web"}`)
		}
	}
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	s.passOn(w, r, path, json.RawMessage(body), code)
}

func (s *API) passOn(w http.ResponseWriter, r *http.Request, path string, body any, code int) {
	var answer json.RawMessage
	if p := s.Lab(r.Context(), r.Method, path, body, &answer); p != nil {
		s.Fail(w, r, p)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, code, answer)
}
