package store_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// Gaps are stored once and summed up: those since a time, and
// after the newest acknowledgement of their alarm. Too many are not kept.
func TestGaps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	w := openWriter(t, path)
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	gap := func(stream string, count, first uint64, until int) event.Gap {
		return event.Gap{Stream: stream, Created: start, Count: count, First: first, Until: at(until)}
	}
	report := func(first uint64, until int) event.Gap { return gap(event.ReportStream, 3, first, until) }
	add := func(found, added int, gaps ...event.Gap) {
		t.Helper()
		if got, err := w.AddGaps(t.Context(), at(found), gaps); err != nil || len(got) != added {
			t.Fatalf("%d of %d were new, want %d; %v", len(got), len(gaps), added, err)
		}
	}
	want := func(since int, want store.Missing) {
		t.Helper()
		got, err := w.Missing(t.Context(), at(since))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("since minute %d (-want +got):\n%s", since, diff)
		}
	}
	want(0, store.Missing{})
	add(1, 1, report(4, 0))
	add(2, 1, report(8, 1), report(4, 4)) // one is found again
	want(0, store.Missing{Reports: 6, Newest: at(2)})
	want(2, store.Missing{Reports: 3, Newest: at(2)})
	want(3, store.Missing{})
	larger := report(8, 2)
	larger.Count = 5
	if got, err := w.AddGaps(t.Context(), at(2), []event.Gap{larger}); err != nil || len(got) != 1 || got[0].Count != 2 {
		t.Errorf("a gap that has grown by 2: %+v, %v", got, err)
	}
	want(2, store.Missing{Reports: 5, Newest: at(2)})

	place := event.Position{Created: start, Sequence: 10}
	if _, err := w.AddReports(t.Context(), nil, place); err != nil {
		t.Fatal(err)
	}
	r := store.NewReader(path)
	defer r.Close()
	if p, err := r.Position(t.Context(), event.ReportStream); err != nil || p != place {
		t.Errorf("Position = %v, %v", p, err)
	}
	if p, err := r.Position(t.Context(), event.AlarmStream); err != nil || p != (event.Position{}) {
		t.Errorf("Position of a stream that was never stored = %v, %v", p, err)
	}

	notes, err := w.GapsWithoutNote(t.Context())
	if err != nil || len(notes) != 2 {
		t.Fatalf("%+v, %v", notes, err)
	}
	if n := notes[0]; n.Alarm != event.LostAlarm || !n.At.Equal(at(1)) ||
		n.Text != "3 reports are missing from before "+libra.FormatTime(at(0))+", from number 4 of stream REPORTS on: the bus no longer had what was not recorded" {
		t.Errorf("%+v", n)
	}
	other := libra.Note{ID: "a", Kind: libra.Acknowledged, At: at(9), Alarm: "bus"}
	early := libra.Note{ID: "b", Kind: libra.Acknowledged, At: at(1), Alarm: event.LostAlarm}
	if err := w.AddNotes(t.Context(), []libra.Note{notes[0], other, early}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	want(0, store.Missing{Reports: 5, Newest: at(2)})
	if notes, err := w.GapsWithoutNote(t.Context()); err != nil || len(notes) != 1 {
		t.Errorf("%+v, %v", notes, err)
	}
	add(3, 1, gap(event.AlarmStream, 3, 4, 3))
	add(4, 1, gap(event.NoteStream, 1, 4, 3))
	want(0, store.Missing{Reports: 5, Others: 4, Newest: at(4)})
	notes, err = w.GapsWithoutNote(t.Context())
	if err != nil || len(notes) != 3 || !strings.HasPrefix(notes[1].Text, "3 transitions are missing from ") ||
		!strings.HasPrefix(notes[2].Text, "1 note is missing from ") || !strings.Contains(notes[2].Text, " of stream NOTES on") {
		t.Errorf("%+v, %v", notes, err)
	}
	for n := range 40 {
		var many []event.Gap
		for i := range 50 {
			many = append(many, report(uint64(100+50*n+i)*10, 100+n))
		}
		add(100+n, 50, many...)
	}
	want(0, store.Missing{Reports: 3000, Newest: at(139)})
	want(120, store.Missing{Reports: 3000, Newest: at(139)})
}
