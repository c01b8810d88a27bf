package harness

import (
	"io"
	"net/http"
	"net/http/httptest"
)

// NewSite serves the pages that a load generator submits: each path below /p/ is a
// small page with one stylesheet.
func NewSite() *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /p/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!doctype html><title>A page</title><link rel=stylesheet href=/style.css><h1>Hello</h1>`)
	})
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		io.WriteString(w, `h1 { color: navy }`)
	})
	return httptest.NewServer(mux)
}
