package web

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"

	"libra/pkg/libra"
)

// problem is RFC 9457's problem details. Detail names the value and the remedy;
// Details has them by code, as everywhere.
type problem struct {
	Type     string         `json:"type"` // urn:libra:problem:…, or about:blank where the status says it all
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail"`
	Instance string         `json:"instance"` // path of the request
	Details  []libra.Reason `json:"reason_details"`

	retryAfter int    // seconds; 0 is none
	allow      string // methods, for 405
}

func (p *problem) Error() string { return p.Title + ": " + p.Detail }

func newProblem(kind, title string, status int, why libra.Reason) *problem {
	return &problem{Type: kind, Title: title, Status: status, Detail: why.String(), Details: []libra.Reason{why}}
}

const problemURN = "urn:libra:problem:"

func plainProblem(status int, code libra.Code, text, remedy string) *problem {
	return newProblem("about:blank", http.StatusText(status), status, libra.Reason{Code: code, Text: text, Remedy: remedy})
}

func badRequest(kind, text, remedy string) *problem {
	return refused(kind, invalid(text, remedy))
}

// refused is a bad request because of err, which is a libra.Reason.
func refused(kind string, err error) *problem {
	return newProblem(problemURN+kind, "Bad request", http.StatusBadRequest, libra.ReasonOf(err))
}

func invalid(text, remedy string) libra.Reason {
	return libra.Reason{Code: libra.CodeInvalidParameter, Text: text, Remedy: remedy}
}

// named says which key has the value at fault.
func named(key string, err error) libra.Reason {
	why := libra.ReasonOf(err)
	why.Text = key + " " + why.Text
	return why
}

func methodNotAllowed(method, allow string) *problem {
	p := plainProblem(http.StatusMethodNotAllowed, libra.CodeMethod, "method "+method+" is not for this address", "use "+allow)
	p.allow = allow
	return p
}

func notFound(path string) *problem {
	return plainProblem(http.StatusNotFound, libra.CodeNotFound, fmt.Sprintf("there is nothing at %q", path), "/ lists the pages, /api/pages lists them for programs")
}

func noPage(id string) *problem {
	return newProblem(problemURN+"no-such-page", "No such page", http.StatusNotFound, libra.Reason{
		Code: libra.CodeNotFound, Text: fmt.Sprintf("no page %q is known", id), Remedy: "POST its URL to /api/pages, or submit it on /",
	})
}

// unavailable tells the client to come back, not everybody in one instant.
func unavailable(kind string, code libra.Code, text, remedy string) *problem {
	p := newProblem(problemURN+kind, "Not available right now", http.StatusServiceUnavailable, libra.Reason{Code: code, Text: text, Remedy: remedy})
	p.retryAfter = 1 + rand.N(5)
	return p
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
		s.failHTML(w, r, p)
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
