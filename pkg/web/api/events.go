package api

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web/state"
)

// How a stream is kept: a comment now and then, so that both ends notice when
// the other is gone, and a bound on each write.
const (
	streamBeat  = 15 * time.Second
	streamWrite = 10 * time.Second
	streamRetry = 2 * time.Second
)

// GetEvents streams what happens, as it happens:
//
//	step     event.Step: how far a worker is
//	report   a page has a new report; without its assets
//	request  a request was accepted
//	alarm    libra.Transition
//	note     libra.Note: what was done about an alarm, or became of a silence
//	watch    a page is watched from now on, or not any more
//	status   what is unknown, refused or degraded has changed; sent to all clients
//
// With ?page= only that page's, beginning with its current state. What happened
// while no client listened is not sent again: Last-Event-ID means nothing here,
// the client reads /api/pages/{id} instead.
func (s *API) GetEvents(w http.ResponseWriter, r *http.Request) {
	page := r.URL.Query().Get("page")
	if page != "" && !state.IsPageID(page) {
		s.Fail(w, r, BadRequest("page", fmt.Sprintf("invalid page %q", page), "must be the id of a page, or left out"))
		return
	}
	st := s.state.Hub.Join(page)
	if st == nil {
		s.Fail(w, r, TooManyStreams("%d clients are connected already", s.cfg.MaxStreams))
		return
	}
	defer s.state.Hub.Leave(st)
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

// TooManyStreams is the problem of an event stream for which there is no room.
func TooManyStreams(format string, n int) *Problem {
	return unavailable("streams", libra.CodeTooManyStreams, fmt.Sprintf(format, n), "try again in a few seconds, or read /api/pages")
}

// standing is the event with the current state of a page.
func (s *API) standing(page string) []byte {
	v, known := s.state.Memory.Page(page)
	switch {
	case known && v.Step.Step != "":
		return state.EncodeEvent("step", v.Step)
	case known && v.Open == 0 && v.Latest() != nil:
		return state.EncodeEvent("report", state.ReportEvent(page, v.Latest()))
	}
	return nil
}

func (s *API) stream(r *http.Request, rc *http.ResponseController, w http.ResponseWriter, st *state.Stream, first []byte) {
	write := func(data []byte) error {
		if err := rc.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
			return err
		}
		_, err := w.Write(data)
		if err == nil && len(st.Out) == 0 { // what is waiting goes out together
			err = rc.Flush()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.state.Hub.LeaveUnread(st)
		}
		return err
	}
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	err := write(first)
	for err == nil {
		select {
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		case <-beat.C:
			err = write([]byte(": still here\n\n"))
		case frame, ok := <-st.Out:
			if !ok {
				return // too slow
			}
			err = write(frame.Data)
			frame.Done()
		}
	}
}

// EventsPattern is the path of the event streams.
const EventsPattern = "/api/events"
