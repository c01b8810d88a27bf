package api

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"libra/pkg/libra"
)

// Problem is RFC 9457's problem details. Detail names the value and the remedy;
// Details has them by code, as everywhere.
type Problem struct {
	Type     string         `json:"type"` // urn:libra:problem:…, or about:blank where the status says it all
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail"`
	Instance string         `json:"instance"` // path of the request
	Details  []libra.Reason `json:"reason_details"`

	// Open is what the client has already, where it has too much; nil else.
	Open *openDoc `json:"open_requests,omitempty"`

	About About `json:"-"`

	retryAfter int    // seconds; 0 for no Retry-After
	allow      string // methods, for 405
}

// About is what a problem is about, for pages to word it for people. A field is
// zero where it does not apply.
type About struct {
	ID  string    // of the page or the alarm
	URL string    // of the page
	At  time.Time // since when, or when, it is as the problem says
	Why string
}

// of says what the problem is about.
func (p *Problem) of(a About) *Problem {
	p.About = a
	return p
}

func (p *Problem) Error() string { return p.Title + ": " + p.Detail }

// NewProblem makes a problem of a reason.
func NewProblem(kind, title string, status int, why libra.Reason) *Problem {
	return &Problem{Type: kind, Title: title, Status: status, Detail: why.String(), Details: []libra.Reason{why}}
}

// ProblemURN begins the types of our own problems.
const ProblemURN = "urn:libra:problem:"

// PlainProblem makes a problem without a type of its own: its title is that of the status.
func PlainProblem(status int, code libra.Code, text, remedy string) *Problem {
	return NewProblem("about:blank", http.StatusText(status), status, libra.Reason{Code: code, Text: text, Remedy: remedy})
}

// BadRequest is the problem of a value that is invalid; kind is the last part of its type.
func BadRequest(kind, text, remedy string) *Problem {
	return BadRequestOf(kind, invalid(text, remedy))
}

// BadRequestOf is a bad request because of err, which is a libra.Reason.
func BadRequestOf(kind string, err error) *Problem {
	return NewProblem(ProblemURN+kind, "Bad request", http.StatusBadRequest, libra.ReasonOf(err))
}

func invalid(text, remedy string) libra.Reason {
	return libra.Reason{Code: libra.CodeInvalidParameter, Text: text, Remedy: remedy}
}

// MethodNotAllowed is the problem of a method that an address does not have; allow lists those that it has.
func MethodNotAllowed(method, allow string) *Problem {
	p := PlainProblem(http.StatusMethodNotAllowed, libra.CodeMethod, "method "+method+" is not allowed for this address", "use "+allow)
	p.allow = allow
	return p
}

// NotFound is the problem of an address that does not exist.
func NotFound(path string) *Problem {
	return PlainProblem(http.StatusNotFound, libra.CodeNotFound, fmt.Sprintf("address %q not found", path), "/ lists the pages, /api/pages lists them for programs")
}

func noPage(id string) *Problem {
	return NewProblem(ProblemURN+"no-such-page", "No such page", http.StatusNotFound, libra.Reason{
		Code: libra.CodeNotFound, Text: fmt.Sprintf("no such page %q", id), Remedy: "POST its URL to /api/pages, or submit it on /",
	}).of(About{ID: id})
}

// unavailable asks the client to retry after a random time, so that not all retry at once.
func unavailable(kind string, code libra.Code, text, remedy string) *Problem {
	p := NewProblem(ProblemURN+kind, "Not available right now", http.StatusServiceUnavailable, libra.Reason{Code: code, Text: text, Remedy: remedy})
	p.retryAfter = 1 + rand.N(5)
	return p
}

// Fail answers with a problem: a page for a browser, JSON for a program.
func (s *API) Fail(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.Instance = At(r, r.URL.EscapedPath())
	h := w.Header()
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	if Accepts(r, "text/html") {
		s.failHTML(w, r, p)
		return
	}
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // a struct of strings and numbers
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(data)+1)) // whole before the handler ends, see refuseUnread
	w.WriteHeader(p.Status)
	w.Write(append(data, '\n'))
}

// Accepts reports whether the request's Accept names a media type outright. A
// browser names text/html; a program that takes anything gets JSON.
func Accepts(r *http.Request, mediaType string) bool {
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
