package state

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
)

// Hub sends events to the clients of /api/events. A client that does not read them
// is disconnected: it never delays the others, or the bus. What all clients have not
// read yet is bounded, too.
type Hub struct {
	max   int
	most  int64        // bytes of the frames that are not written yet
	bytes atomic.Int64 // of those frames; one that several clients wait for counts once

	mu      sync.Mutex
	streams map[*Stream]bool // under mu
	dropped int64            // under mu
}

// Stream is one client.
type Stream struct {
	page string      // only events of this page; "" is all
	Out  chan *Frame // closed by Hub when the client is disconnected
}

// Frame is an event as the streams have it. A client that gets it calls Done when it is
// written.
type Frame struct {
	Data []byte
	hub  *Hub
	uses atomic.Int64 // clients that have not written it yet
}

// frameOverhead is what a frame takes beside its bytes.
const frameOverhead = 64

func (f *Frame) size() int64 { return int64(cap(f.Data)) + frameOverhead }

// Done says that a client does not need the frame any more.
func (f *Frame) Done() {
	if f.uses.Add(-1) == 0 {
		f.hub.bytes.Add(-f.size())
	}
}

// backlog is how many events a client may be behind.
const backlog = 128

func newHub(max int, most int64) *Hub { return &Hub{max: max, most: most, streams: map[*Stream]bool{}} }

// queued is what clients have not read yet, in bytes.
func (h *Hub) queued() int64 { return h.bytes.Load() }

// Join adds a client; nil when there are too many.
func (h *Hub) Join(page string) *Stream {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) >= h.max {
		return nil
	}
	st := &Stream{page: page, Out: make(chan *Frame, backlog)}
	h.streams[st] = true
	return st
}

// Leave removes a client.
func (h *Hub) Leave(st *Stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, st)
	st.discard()
}

// discard drops what the client has not read. h.mu is held, so that nothing is added.
func (st *Stream) discard() {
	for {
		select {
		case f, ok := <-st.Out:
			if !ok {
				return
			}
			f.Done()
		default:
			return
		}
	}
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
	st.discard()
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
	var frame *Frame
	for st := range h.streams {
		if !listens(st) {
			continue
		}
		if frame == nil {
			frame = &Frame{Data: EncodeEvent(kind, v), hub: h}
			frame.uses.Store(1) // this function's
			h.bytes.Add(frame.size())
		}
		frame.uses.Add(1)
		select {
		case st.Out <- frame:
		default:
			frame.Done()
			h.disconnect(st)
		}
	}
	if frame != nil {
		frame.Done()
	}
	for h.bytes.Load() > h.most && h.disconnectSlowest() {
	}
}

// disconnect removes a client that does not read. h.mu is held.
func (h *Hub) disconnect(st *Stream) {
	delete(h.streams, st)
	st.discard()
	close(st.Out)
	h.dropped++
}

// disconnectSlowest disconnects the client that is furthest behind. It returns false
// if none is behind. h.mu is held.
func (h *Hub) disconnectSlowest() bool {
	var slowest *Stream
	for st := range h.streams {
		if n := len(st.Out); n > 0 && (slowest == nil || n > len(slowest.Out)) {
			slowest = st
		}
	}
	if slowest == nil {
		return false
	}
	h.disconnect(slowest)
	return true
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
