package web

import (
	"context"
	"net/http"
	"time"
)

// heartbeatEvery is how often the server asks itself.
const heartbeatEvery = 500 * time.Millisecond

// answerTime is what the server declares for its next answer to itself.
const answerTime = 3 * time.Second

// heartbeat asks the server itself whether it answers, and only then declares
// the next round. A lock that is never released thus ends the process.
func (s *Server) heartbeat(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/up", nil)
	if err != nil {
		panic(err) // the arguments are constants
	}
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		w := &discard{header: http.Header{}}
		s.handler.ServeHTTP(w, req)
		if w.code != 0 && s.loop != nil {
			s.loop.Allow(answerTime)
		}
		if s.cfg.Status != nil {
			s.cfg.Status(s.Status())
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// discard is a ResponseWriter that keeps the status alone.
type discard struct {
	header http.Header
	code   int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(code int) {
	if d.code == 0 {
		d.code = code
	}
}

func (d *discard) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return len(b), nil
}
