package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"libra/pkg/libra"
)

// hub hands events to the clients of /api/events. A client that does not read
// what it is sent is let go: it never keeps the others, or the bus, waiting.
type hub struct {
	max int

	mu      sync.Mutex
	streams map[*stream]bool // under mu
	dropped int64            // under mu
}

// stream is one client.
type stream struct {
	page string      // only events of this page; "" is all
	out  chan []byte // closed by hub when the client is let go
}

// backlog is how many events a client may be behind.
const backlog = 128

func newHub(max int) *hub { return &hub{max: max, streams: map[*stream]bool{}} }

// join adds a client; nil when there are too many.
func (h *hub) join(page string) *stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) >= h.max {
		return nil
	}
	st := &stream{page: page, out: make(chan []byte, backlog)}
	h.streams[st] = true
	return st
}

func (h *hub) leave(st *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, st)
}

func (h *hub) size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

func (h *hub) letGo() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped
}

// tell sends an event to whoever wants the page; page "" is of no page.
func (h *hub) tell(kind, page string, v any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var frame []byte
	for st := range h.streams {
		if st.page != "" && st.page != page {
			continue
		}
		if frame == nil {
			frame = encodeEvent(kind, v)
		}
		select {
		case st.out <- frame:
		default:
			delete(h.streams, st)
			close(st.out)
			h.dropped++
		}
	}
}

func encodeEvent(kind string, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own documents, of plain data
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, data)
}

// requestEvent tells that a request was accepted. It does not say of whom.
type requestEvent struct {
	ID    string    `json:"id"`
	Page  string    `json:"page"`
	URL   string    `json:"url"`
	Asked time.Time `json:"asked"`
}

// watchEvent tells how often a page is weighed from now on; "" is not.
type watchEvent struct {
	Page  string `json:"page"`
	URL   string `json:"url"`
	Every string `json:"every"`
}

// reportedEvent tells that a page has a new report.
type reportedEvent struct {
	Page    string         `json:"page"`
	Request string         `json:"request"`
	At      time.Time      `json:"at"`
	Report  *reportSummary `json:"report"`
}

func reportEvent(page string, s *summary) reportedEvent {
	return reportedEvent{page, s.request, s.at, &reportSummary{Report: s.report}}
}

// How a stream is kept: a comment now and then, so that both ends notice when
// the other is gone, and a bound on each write.
const (
	streamBeat  = 15 * time.Second
	streamWrite = 10 * time.Second
	streamRetry = 2 * time.Second
)

// getEvents streams what happens, as it happens:
//
//	step     event.Step: how far a worker is
//	report   a page has a new report; without its assets
//	request  a request was accepted
//	alarm    libra.Transition
//	note     libra.Note: what was done about an alarm, or became of a silence
//	watch    a page is watched from now on, or not any more
//
// With ?page= only that page's, beginning with where it stands. What happened
// while nobody listened is not told again: Last-Event-ID means nothing here,
// the client reads /api/pages/{id} instead.
func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) {
	page := r.URL.Query().Get("page")
	if page != "" && !isPageID(page) {
		s.fail(w, r, badRequest("page", fmt.Sprintf("page %q is no page id", page), "give the id of a page, or leave it out"))
		return
	}
	st := s.hub.join(page)
	if st == nil {
		s.fail(w, r, unavailable("streams", libra.CodeTooManyStreams, fmt.Sprintf("%d clients listen already", s.cfg.MaxStreams), "try again in a few seconds, or read /api/pages"))
		return
	}
	defer s.hub.leave(st)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for an nginx in front
	first := fmt.Appendf(nil, "retry: %d\n\n", streamRetry.Milliseconds())
	if page != "" {
		first = append(first, s.standing(page)...)
	}
	s.stream(r, http.NewResponseController(w), w, st, first)
}

// standing is the event that tells where a page stands.
func (s *Server) standing(page string) []byte {
	v, known := s.memory.page(page)
	switch {
	case known && v.step.Step != "":
		return encodeEvent("step", v.step)
	case known && v.open == 0 && v.latest() != nil:
		return encodeEvent("report", reportEvent(page, v.latest()))
	}
	return nil
}

func (s *Server) stream(r *http.Request, rc *http.ResponseController, w http.ResponseWriter, st *stream, frame []byte) {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		if err := rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return
		}
		if _, err := w.Write(frame); err != nil {
			return
		}
		if err := rc.Flush(); err != nil {
			return
		}
		var ok bool
		select {
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		case <-beat.C:
			frame = []byte(": still here\n\n")
		case frame, ok = <-st.out:
			if !ok {
				return // too slow
			}
			frame = more(frame, st.out)
		}
	}
}

// more joins what is waiting into one write.
func more(frame []byte, out <-chan []byte) []byte {
	frame = bytes.Clone(frame)
	for {
		select {
		case next, ok := <-out:
			if !ok {
				return frame
			}
			frame = append(frame, next...)
		default:
			return frame
		}
	}
}
