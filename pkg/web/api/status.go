package api

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web/state"
)

// GetUp serves GET /up.
func (s *API) GetUp(w http.ResponseWriter, r *http.Request) {
	doc := s.state.Up()
	code := http.StatusOK
	if !doc.Serving() {
		code = http.StatusInternalServerError
	}
	w.Header().Set("Cache-Control", "no-store")
	if Accepts(r, "application/json") {
		writeJSON(w, code, doc)
		return
	}
	var b strings.Builder
	fmt.Fprint(&b, doc.Status)
	if since := doc.UnknownSince(); doc.Status == state.StatusUnknown {
		fmt.Fprintf(&b, " since %s (%s)", libra.FormatTime(since), libra.FormatAge(time.Since(since)))
	}
	fmt.Fprintln(&b)
	for _, g := range doc.Unknown {
		if g.Component == "" {
			fmt.Fprintln(&b, "unknown:", g)
		}
	}
	for _, g := range doc.Refused {
		fmt.Fprintln(&b, "refused:", g)
	}
	for _, d := range doc.Degraded {
		fmt.Fprintln(&b, "degraded:", d)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	fmt.Fprint(w, b.String())
}

// GetCapacity serves GET /api/capacity.
func (s *API) GetCapacity(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, s.state.Capacity())
}

// GetStatus serves GET /api/status.
func (s *API) GetStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, s.state.Status())
}
