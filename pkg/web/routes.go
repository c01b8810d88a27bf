package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"libra/pkg/libra"
)

// routes is everything web answers, and what every answer goes through.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":                          s.getHome,
		"POST /pages":                       s.postForm,
		"GET /pages/{id}":                   s.getPageHTML,
		"POST /pages/{id}/release":          s.postReleaseForm,
		"POST /api/pages/{id}/release":      s.postRelease,
		"POST /pages/{id}/watch":            s.postWatchForm,
		"GET /alarms":                       s.getAlarmsHTML,
		"GET /alarms/{id}":                  s.getAlarmHTML,
		"POST /alarms/{id}/acknowledge":     s.postAcknowledgeForm,
		"POST /silences":                    s.postSilenceForm,
		"POST /silences/{id}/end":           s.postEndForm,
		"GET " + runbookPath:                s.getRunbook,
		"GET /status":                       s.getStatusHTML,
		"GET /static/{file}":                s.getStatic,
		"GET /favicon.ico":                  s.getIcon,
		"POST /api/pages":                   s.postPage,
		"GET /api/pages":                    s.getPages,
		"GET /api/pages/{id}":               s.getPage,
		"GET /api/alarms":                   s.getAlarms,
		"GET /api/alarms/{id}":              s.getAlarm,
		"POST /api/alarms/{id}/acknowledge": s.postAcknowledge,
		"GET /api/history":                  s.getHistory,
		"GET /api/silences":                 s.getSilences,
		"POST /api/silences":                s.postSilence,
		"DELETE /api/silences/{id}":         s.deleteSilence,
		"POST /api/channels/{name}/test":    s.postTest,
		"GET /api/status":                   s.getStatus,
		"GET /up":                           s.getUp,
		"GET /metrics":                      s.getMetrics,
		"GET " + eventsPattern:              s.getEvents,
	} {
		mux.HandleFunc(pattern, h)
	}
	zip, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.ContentTypes(zipped))
	if err != nil {
		panic(err) // its options are constants
	}
	checked := s.checked(mux)
	zipping := zip(checked)
	return s.measured(mux, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if r.URL.Path == eventsPattern { // a stream must not wait for a compressor
			checked.ServeHTTP(w, r)
			return
		}
		zipping.ServeHTTP(w, r)
	}))
}

const eventsPattern = "/api/events"

var zipped = []string{"application/json", "application/problem+json", "text/html", "text/css", "text/javascript", "text/plain", "image/svg+xml"}

// secure sets what every answer carries. No page here has a script or a style
// in line, nor anything from elsewhere.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// checked turns away what no handler should see, in our words.
func (s *Server) checked(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.wrongHost(r); p != nil {
			s.fail(w, r, p)
			return
		}
		if err := s.cross.Check(r); err != nil {
			s.fail(w, r, plainProblem(http.StatusForbidden, libra.CodeCrossSite, "a page of another site sent this ("+err.Error()+")", "use Libra's own pages, or a program"))
			return
		}
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		// No pattern: the mux's own handler knows whether the path or the
		// method is at fault.
		probe := &discard{header: http.Header{}}
		h.ServeHTTP(probe, r)
		if probe.code == http.StatusMethodNotAllowed {
			s.fail(w, r, methodNotAllowed(r.Method, probe.header.Get("Allow")))
			return
		}
		s.fail(w, r, notFound(r.URL.Path))
	})
}

// measured counts every answer and notes how long it took.
func (s *Server) measured(mux *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.RemoteAddr == "" { // the heartbeat, asking in process
			next.ServeHTTP(w, r)
			return
		}
		_, pattern := mux.Handler(r)
		_, route, _ := strings.Cut(pattern, " ")
		if route == "" {
			route = "none" // of what clients make up, one is enough
		}
		began := time.Now()
		seen := &witness{ResponseWriter: w}
		defer func() { s.metrics.answered(route, seen.status(), time.Since(began)) }()
		next.ServeHTTP(seen, r)
	})
}

// witness remembers the status of an answer.
type witness struct {
	http.ResponseWriter
	code int
}

func (w *witness) WriteHeader(code int) {
	if w.code == 0 && code >= 200 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *witness) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}

// writeJSON answers with v. Text of others stays as it is: nothing here is
// read as HTML.
func writeJSON(w http.ResponseWriter, code int, v any) {
	data := marshal(v)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(data)
}

func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // our own documents, of plain data
	}
	return b.Bytes()
}

// writeTagged answers a GET with v, or with 304 where the client has it. The
// tag is weak, because the answer may be compressed on its way.
func writeTagged(w http.ResponseWriter, r *http.Request, v any) {
	data := marshal(v)
	sum := sha256.Sum256(data)
	tag := `W/"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	for line := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if line = strings.TrimSpace(line); line == "*" || strings.TrimPrefix(line, "W/") == strings.TrimPrefix(tag, "W/") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(data)
}
