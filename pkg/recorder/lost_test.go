package recorder_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/recorder"
	"libra/pkg/store"
)

// A stream that is lost and made again while the recorder runs gets back what it held,
// whichever it is; the heartbeats say so until it is done.
func TestLostStreams(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	web, watchdog := b.Connect("web"), b.Connect("watchdog")
	now := time.Now().UTC()
	raised := libra.Transition{ID: "t1", At: now, Alarm: libra.Alarm{ID: "bus", State: libra.Raised, Since: now}}
	if err := errors.Join(b.Connect("inspector").PublishReport(t.Context(), reported(1)), watchdog.PublishAlarm(t.Context(), raised),
		web.PublishNote(t.Context(), acknowledged("bus")), web.SetWatch(t.Context(), watch(3600)), writeBoard(t, web, 1)); err != nil {
		t.Fatal(err)
	}
	read := store.NewReader(path)
	defer read.Close()
	r, stop := runSupervised(t, b, path, recorder.Loops{})
	defer stop()
	bustest.Await(t, "everything to be recorded", func() bool {
		_, err := read.ByRequest(t.Context(), "r1")
		notes, noteErr := read.Notes(t.Context(), "", store.Mark{}, 9)
		watches, watchErr := read.Watches(t.Context())
		board, boardErr := read.Board(t.Context(), "", "", store.Mark{}, 9)
		return errors.Join(err, noteErr, watchErr, boardErr) == nil && len(notes) == 1 && len(watches) == 1 && len(board) == 1
	})
	restored := int64(0)
	for stream, c := range map[string]struct {
		what   string
		isBack func() bool
	}{
		event.ReportStream: {"newest reports", func() bool {
			got, err := web.LastReport(t.Context(), reported(1).Request.Page)
			return err == nil && got.Request.ID == "r1"
		}},
		event.WatchStream: {"watches", func() bool { w, err := web.WatchOf(t.Context(), watch(1).Page); return err == nil && w.EveryS == 3600 }},
		event.NoteStream:  {"silences and notes", func() bool { return b.Stored(event.NoteStream) == 1 }},
		event.BoardStream: {"newest notes on the board", func() bool { return b.Stored(event.BoardStream) == 1 }},
		event.AlarmStream: {"", func() bool { return true }},
	} {
		b.Lose(stream)
		if c.what != "" { // a stream with no room: what is published to it is refused
			b.Cramped(stream)
			bustest.Await(t, "the heartbeats to say that "+c.what+" are being restored", func() bool {
				why := r.Reasons()
				return r.RestoringSince() != 0 && len(why) == 1 && why[0].Code == libra.CodeRestoring && strings.Contains(why[0].Text, c.what) && strings.Contains(why[0].Text, "0 of 1")
			})
			restored++
		}
		b.Streams()
		bustest.Await(t, stream+" to be as it was", func() bool { return c.isBack() && r.Restored() == restored })
		bustest.Await(t, "the heartbeats to say no more", func() bool { return r.RestoringSince() == 0 && r.Reasons() == nil })
	}
}

// A report that the bus does not take any more, as one that is larger than its messages,
// stays in the history and keeps no other from being published again.
func TestTooLargeToRestore(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	large := reported(1)
	for range 1200 {
		large.Report.Assets = append(large.Report.Assets, libra.Asset{URL: strings.Repeat("u", 8000)})
	}
	w, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.AddReports(t.Context(), []event.Reported{large, reported(2)}, event.Position{})
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	r, stop := runSupervised(t, b, path, recorder.Loops{})
	defer stop()
	web := b.Connect("web")
	bustest.Await(t, "the other report", func() bool { _, err := web.LastReport(t.Context(), reported(2).Request.Page); return err == nil })
	bustest.Await(t, "restoring to end", func() bool { return r.RestoringSince() == 0 })
	read := store.NewReader(path)
	defer read.Close()
	if _, err := read.ByRequest(t.Context(), large.Request.ID); err != nil {
		t.Errorf("the history has lost it: %v", err)
	}
}
