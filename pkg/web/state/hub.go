package state

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"libra/pkg/libra"
)

// Hub sends events to the clients of /api/events. A client that does not read them
// is disconnected: it never delays the others, or the bus.
type Hub struct {
	max int

	mu      sync.Mutex
	streams map[*Stream]bool // under mu
	dropped int64            // under mu
}

// Stream is one client.
type Stream struct {
	page string      // only events of this page; "" is all
	Out  chan []byte // closed by Hub when the client is disconnected
}

// backlog is how many events a client may be behind.
const backlog = 128

func newHub(max int) *Hub { return &Hub{max: max, streams: map[*Stream]bool{}} }

// Join adds a client; nil when there are too many.
func (h *Hub) Join(page string) *Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) >= h.max {
		return nil
	}
	st := &Stream{page: page, Out: make(chan []byte, backlog)}
	h.streams[st] = true
	return st
}

// Leave removes a client.
func (h *Hub) Leave(st *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, st)
}

// Size counts the clients.
func (h *Hub) Size() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

// LeaveUnread is Leave for a client that did not read what was sent to it in time.
func (h *Hub) LeaveUnread(st *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, joined := h.streams[st]; joined {
		delete(h.streams, st)
		h.dropped++
	}
}

// Dropped counts the clients that were disconnected because they did not read.
func (h *Hub) Dropped() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped
}

// send sends an event to the clients that listen for the page; page "" is of no page.
func (h *Hub) send(kind, page string, v any) {
	h.sendTo(func(st *Stream) bool { return st.page == "" || st.page == page }, kind, v)
}

// sendAll sends an event to all clients.
func (h *Hub) sendAll(kind string, v any) {
	h.sendTo(func(*Stream) bool { return true }, kind, v)
}

func (h *Hub) sendTo(listens func(*Stream) bool, kind string, v any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var frame []byte
	for st := range h.streams {
		if !listens(st) {
			continue
		}
		if frame == nil {
			frame = EncodeEvent(kind, v)
		}
		select {
		case st.Out <- frame:
		default:
			delete(h.streams, st)
			close(st.Out)
			h.dropped++
		}
	}
}

// EncodeEvent writes an event as a stream has it.
func EncodeEvent(kind string, v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own documents, of plain data
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, data)
}

// statusEvent is the event of a change of what is unknown, refused or degraded.
type statusEvent struct {
	Status Overall `json:"status"`
}

// requestEvent is the event of an accepted request. It leaves out the client.
type requestEvent struct {
	ID    string    `json:"id"`
	Page  string    `json:"page"`
	URL   string    `json:"url"`
	Asked time.Time `json:"asked"`
}

// watchEvent is how often a page is inspected from now on; "" is never.
type watchEvent struct {
	Page  string `json:"page"`
	URL   string `json:"url"`
	Every string `json:"every"`
}

// reportedEvent is the event of a new report.
type reportedEvent struct {
	Page    string         `json:"page"`
	Request string         `json:"request"`
	At      time.Time      `json:"at"`
	Report  *ReportSummary `json:"report"`
}

// ReportEvent is the event of a page's new report.
func ReportEvent(page string, s *Summary) reportedEvent {
	return reportedEvent{page, s.Request, s.At, &ReportSummary{Report: s.Report}}
}

// ReportSummary is libra.Report without its assets. It is only encoded.
type ReportSummary struct {
	libra.Report
	Assets *struct{} `json:"assets,omitempty"` // hides the report's
}
