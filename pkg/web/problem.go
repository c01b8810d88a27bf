package web

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// problem is RFC 9457's problem details. Detail names the value and the remedy.
type problem struct {
	Type     string `json:"type"` // urn:libra:problem:…, or about:blank where the status says it all
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // path of the request

	retryAfter int    // seconds; 0 is none
	allow      string // methods, for 405
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

func plainProblem(status int, detail string) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
}

func badRequest(kind, detail string) *problem {
	return &problem{Type: "urn:libra:problem:" + kind, Title: "Bad request", Status: http.StatusBadRequest, Detail: detail}
}

func notFound(path string) *problem {
	return plainProblem(http.StatusNotFound, fmt.Sprintf("there is nothing at %q: / lists the pages, /api/pages lists them for programs", path))
}

func noPage(id string) *problem {
	return &problem{
		Type: "urn:libra:problem:no-such-page", Title: "No such page", Status: http.StatusNotFound,
		Detail: fmt.Sprintf("no page %q is known: POST its URL to /api/pages, or submit it on /", id),
	}
}

// unavailable tells the client to come back, not everybody in one instant.
func unavailable(kind, detail string) *problem {
	return &problem{
		Type: "urn:libra:problem:" + kind, Title: "Not available right now", Status: http.StatusServiceUnavailable,
		Detail: detail, retryAfter: 1 + rand.N(5),
	}
}

// fail answers with a problem: a page for a browser, JSON for a program.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, p *problem) {
	p.Instance = r.URL.EscapedPath()
	h := w.Header()
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	if accepts(r, "text/html") {
		s.render(w, r, p.Status, "problem", p.Title, p)
		return
	}
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	h.Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	w.Write(append(data, '\n'))
}

// accepts says whether the request's Accept names a media type outright. A
// browser names text/html; a program that takes anything gets JSON.
func accepts(r *http.Request, mediaType string) bool {
	for _, line := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(part, ";")
			if strings.EqualFold(strings.TrimSpace(name), mediaType) {
				return true
			}
		}
	}
	return false
}
