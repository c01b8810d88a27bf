package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

const (
	// latency is after what time the site answers.
	latency = 20 * time.Millisecond
	// mostConns bounds the connections of the site, and of the control socket.
	mostConns = 512
)

// page is a page of the site; its images are of 4 and 12 kB.
const page = `<!doctype html>
<html lang="en"><title>A page of the lab</title>
<link rel="stylesheet" href="/style.css"><script src="/script.js" defer></script>
<h1>A page of the lab</h1><img src="/small.png" alt=""><img src="/large.png" alt="">
`

// newSite serves pages below /p/, and below /libra-fault/ those that ask their inspector to
// fail, which it does before it fetches them.
func newSite() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]struct{ kind, text string }{
		"GET /p/{n}":                  {"text/html; charset=utf-8", page},
		"GET /libra-fault/{kind}/{n}": {"text/html; charset=utf-8", page},
		"GET /style.css":              {"text/css", "h1 { color: navy }\n" + strings.Repeat("p { margin: 1em }\n", 100)},
		"GET /script.js":              {"text/javascript", strings.Repeat("// a script\n", 200)},
		"GET /small.png":              {"image/png", strings.Repeat("p", 4_000)},
		"GET /large.png":              {"image/png", strings.Repeat("p", 12_000)},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(latency):
			case <-r.Context().Done():
				return
			}
			w.Header().Set("Content-Type", f.kind)
			w.Header().Set("Cache-Control", "no-store")
			io.WriteString(w, f.text)
		})
	}
	return mux
}

// listenLoopback listens at an address of the loopback.
func listenLoopback(address string) (net.Listener, error) {
	if err := CheckLoopback(address); err != nil {
		return nil, fmt.Errorf("invalid address of the site %q: it %w", address, err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the site: %w", err)
	}
	return netutil.LimitListener(l, mostConns), nil
}

// listenControl listens at the control socket, which the group of this process may use.
func listenControl(folder string) (net.Listener, error) {
	path := filepath.Join(folder, "lab.sock")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove socket of an earlier process: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen at the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("protect the control socket: %w", err), l.Close())
	}
	return netutil.LimitListener(l, 16), nil
}

// serve serves until ctx ends.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}
