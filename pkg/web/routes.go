package web

import (
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"libra/pkg/libra"
	"libra/pkg/web/api"
	"libra/pkg/web/pages"
)

// routes is everything web answers, and what every answer goes through.
func (s *Server) routes() http.Handler {
	mux, store := http.NewServeMux(), s.api.Admitted
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":                          s.pages.GetHome,
		"POST /pages":                       store(s.pages.PostPage),
		"GET /pages/{id}":                   s.pages.GetPage,
		"POST /pages/{id}/release":          store(s.pages.PostRelease),
		"POST /api/pages/{id}/release":      store(s.api.PostRelease),
		"POST /pages/{id}/watch":            store(s.pages.PostWatch),
		"GET /alarms":                       s.pages.GetAlarms,
		"GET /alarms/{id}":                  s.pages.GetAlarm,
		"POST /alarms/{id}/acknowledge":     store(s.pages.PostAcknowledge),
		"POST /silences":                    store(s.pages.PostSilence),
		"POST /silences/{id}/end":           store(s.pages.PostEnd),
		"GET /board":                        s.pages.GetBoard,
		"POST /board":                       store(s.pages.PostBoard),
		"GET " + pages.RunbookPath:          s.pages.GetRunbook,
		"GET /status":                       s.pages.GetStatus,
		"GET /capacity":                     s.pages.GetCapacity,
		"GET /live":                         s.pages.GetLive,
		"GET /live/{request}":               s.pages.GetLook,
		"POST /live/{request}/end":          s.pages.PostEndInspection,
		"GET /api/live":                     s.api.GetLive,
		"GET /api/live/{request}":           s.api.GetLook,
		"POST /api/live/{request}/end":      s.api.PostEnd,
		"GET /lab":                          s.pages.GetLab,
		"POST /lab":                         s.pages.PostLab,
		"GET /api/lab":                      s.api.GetLab,
		"POST /api/lab/dial":                s.api.PostDial,
		"POST /api/lab/inspectors":          s.api.PostInspectors,
		"POST /api/lab/do":                  s.api.PostDo,
		"POST /api/lab/reset":               s.api.PostReset,
		"GET /static/{file}":                s.pages.GetStatic,
		"GET /favicon.ico":                  s.pages.GetIcon,
		"POST /api/pages":                   store(s.api.PostPage),
		"GET /api/pages":                    s.api.GetPages,
		"GET /api/pages/{id}":               s.api.GetPage,
		"GET /api/pages/{id}/trace":         s.api.GetTrace,
		"GET /api/alarms":                   s.api.GetAlarms,
		"GET /api/alarms/{id}":              s.api.GetAlarm,
		"POST /api/alarms/{id}/acknowledge": store(s.api.PostAcknowledge),
		"GET /api/history":                  s.api.GetHistory,
		"GET /api/board":                    s.api.GetBoard,
		"POST /api/board":                   store(s.api.PostBoard),
		"GET /api/silences":                 s.api.GetSilences,
		"POST /api/silences":                store(s.api.PostSilence),
		"DELETE /api/silences/{id}":         store(s.api.DeleteSilence),
		"GET /api/hosts":                    s.api.GetHosts,
		"POST /api/hosts/{host}/hold":       store(s.api.PostHold),
		"DELETE /api/hosts/{host}/hold":     store(s.api.DeleteHold),
		"POST /hosts":                       store(s.pages.PostHold),
		"GET /api/channels":                 s.api.GetChannels,
		"POST /api/channels/{name}/test":    s.api.PostTest,
		"GET /api/status":                   s.api.GetStatus,
		"GET /api/capacity":                 s.api.GetCapacity,
		"GET /up":                           s.api.GetUp,
		"GET /metrics":                      s.getMetrics,
		"GET " + api.EventsPattern:          s.api.GetEvents,
	} {
		mux.HandleFunc(pattern, h)
	}
	zip, err := gzhttp.NewWrapper(gzhttp.MinSize(api.MinZipped), gzhttp.ContentTypes(zipped))
	if err != nil {
		panic(err) // its options are constants
	}
	checked := s.checked(mux)
	zipping := zip(checked)
	return s.kept(s.below(mux, s.measured(mux, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		r = s.api.Named(r)
		if r.URL.Path == api.EventsPattern { // a stream must not wait for a compressor
			if !s.conns.stream(r) {
				s.api.Fail(w, r, api.TooManyStreams("this address has %d event streams already", s.conns.streamShare))
				return
			}
			defer s.conns.noStream(r) // it was refused, or is about to be closed
			checked.ServeHTTP(w, r)
			return
		}
		zipping.ServeHTTP(w, r)
	}))))
}

// keptHeader is what the handlers of routes add to every answer that may be compressed.
var keptHeader = func() http.Header {
	h := http.Header{}
	secure(h)
	h["Vary"] = []string{"X-Forwarded-Prefix", "Accept-Encoding"}
	return h
}()

// kept answers a request for the document of a page that was made before, as next would.
// Everything else is for next: what needs a look at its path, its prefix or its client.
func (s *Server) kept(next http.Handler) http.Handler {
	ok, unchanged := s.metrics.of(pageRoute, http.StatusOK), s.metrics.of(pageRoute, http.StatusNotModified)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.base.prefix != "" || r.RemoteAddr == "" || !strings.HasPrefix(r.URL.Path, api.PagesPath) || r.Header["X-Forwarded-Prefix"] != nil {
			next.ServeHTTP(w, r)
			return
		}
		began := time.Now()
		h := w.Header()
		maps.Copy(h, keptHeader)
		var code int
		served := false
		if s.wrongHost(r) == nil {
			connOf(r).whole(w, func() { code, served = s.api.ServeKept(w, r) })
		}
		switch {
		case !served:
			clear(h)
			next.ServeHTTP(w, r)
		case code == http.StatusOK:
			ok.count(time.Since(began))
		default:
			unchanged.count(time.Since(began))
		}
	})
}

// pageRoute is the pattern of the document of a page.
const pageRoute = api.PagesPath + "{id}"

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

// checked refuses what no handler should see, with a problem document.
func (s *Server) checked(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := s.wrongHost(r); p != nil {
			s.api.Fail(w, r, p)
			return
		}
		if err := s.cross.Check(r); err != nil {
			s.api.Fail(w, r, api.PlainProblem(http.StatusForbidden, libra.CodeCrossSite, "a page of another site sent this ("+err.Error()+")", "use Libra's own pages, or a program"))
			return
		}
		if clean := cleanPath(r.URL.EscapedPath()); clean != r.URL.EscapedPath() {
			if r.URL.RawQuery != "" {
				clean += "?" + r.URL.RawQuery
			}
			http.Redirect(w, r, api.At(r, clean), http.StatusTemporaryRedirect)
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
			s.api.Fail(w, r, api.MethodNotAllowed(r.Method, probe.header.Get("Allow")))
			return
		}
		s.api.Fail(w, r, api.NotFound(r.URL.Path))
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

// Flush implements http.Flusher, which the compressor asks for.
func (w *witness) Flush() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // what writes next has the error
}

func (w *witness) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}
