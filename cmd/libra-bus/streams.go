package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"libra/pkg/bus"
	"libra/pkg/daemon"
	"libra/pkg/event"
)

// streams makes streams again that the bus has lost while it runs, as one is that was
// deleted with a key of the bus. It belongs to the goroutine that watches the server.
type streams struct {
	keeper *bus.Keeper
	loop   *daemon.Loop
	log    *slog.Logger
	lost   []string // at the last look
}

// restoredFrom says what becomes of what a lost stream held.
var restoredFrom = map[string]string{
	event.RequestStream: "libra-web submits the open requests that it knows again",
	event.ReportStream:  "libra-recorder publishes each page's newest reports again",
	event.AlarmStream:   "libra-watchdog publishes the raised alarms again",
	event.NoteStream:    "libra-recorder publishes the silences and the notes on open alarms again",
	event.BoardStream:   "libra-recorder publishes the newest notes on the board again",
	event.WatchStream:   "libra-recorder publishes the watches again",
	event.HostStream:    "libra-web stores the operators' holds again, inspectors learn again which hosts do not answer",
}

// look returns which streams are lost, in words; "" while none is.
func (s *streams) look(ctx context.Context) (why string) {
	lost, err := s.keeper.Lost(ctx)
	if err != nil {
		return "" // the server does not answer, or is stopping: that has reasons of its own
	}
	s.loop.Allow(answerTime)
	if s.lost = lost; len(lost) == 0 {
		return ""
	}
	what := "stream "
	if len(lost) > 1 {
		what = "streams "
	}
	return what + strings.Join(lost, ", ") + " lost, being made again"
}

// makeTime bounds one attempt to make lost streams again, so that the next round is not
// late. What fails is tried again in it.
const makeTime = time.Second

// mend makes the streams again that are lost.
func (s *streams) mend(ctx context.Context) {
	if len(s.lost) == 0 {
		return
	}
	try, cancel := context.WithTimeout(ctx, makeTime)
	defer cancel()
	err := s.keeper.Ensure(try)
	for _, name := range s.lost {
		if err != nil {
			s.log.Error("stream lost, cannot make it again, retrying", "stream", name, "err", err)
		} else {
			s.log.Error("stream lost, made again", "stream", name, "restored", restoredFrom[name])
		}
	}
	s.lost = nil
}
