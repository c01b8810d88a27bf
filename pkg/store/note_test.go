package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

func at(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

func transition(id, alarm string, n int, state libra.AlarmState, since int) libra.Transition {
	return libra.Transition{ID: id, At: at(n), Alarm: libra.Alarm{ID: alarm, State: state, Severity: libra.Major, Since: at(since)}}
}

func ack(id, alarm string, n int) libra.Note {
	return libra.Note{ID: id, Kind: libra.Acknowledged, At: at(n), By: "ann", Alarm: alarm}
}

func silenced(id, silence string, n, from, until int) libra.Note {
	return libra.Note{ID: id, Kind: libra.Silenced, At: at(n), By: "ann", Silence: &libra.Silence{
		ID: silence, Match: libra.Match{Alarm: "bus"}, From: at(from), Until: at(until), By: "ann", Why: "moving house",
	}}
}

func noteIDs(list []libra.Note) (ids []string) {
	for _, n := range list {
		ids = append(ids, n.ID)
	}
	return ids
}

func TestNotes(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	transitions := []libra.Transition{
		transition("t1", "bus", 1, libra.Raised, 1), transition("t2", "bus", 4, libra.Cleared, 1), transition("t3", "bus", 6, libra.Raised, 6),
		transition("t4", "web", 3, libra.Raised, 3), transition("t5", "web", 9, libra.Cleared, 3),
	}
	notes := []libra.Note{
		ack("n1", "bus", 2), ack("n2", "bus", 7), ack("n3", "web", 5),
		{ID: "n9", Kind: libra.Action, At: at(6), By: "libra-watchdog", Alarm: "bus"},
		silenced("n4", "over", 1, 1, 8), silenced("n5", "now", 2, 2, 100), silenced("n6", "later", 3, 50, 100),
		silenced("n7", "cut", 4, 4, 100), silenced("n8", "cut", 9, 4, 9),
	}
	place := event.Position{Created: start, Sequence: 8}
	for range 2 { // storing again changes nothing
		if err := w.AddAlarms(ctx, transitions, event.Position{}); err != nil {
			t.Fatal(err)
		}
		if err := w.AddNotes(ctx, notes, place); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := w.Position(ctx, event.NoteStream); err != nil || p != place {
		t.Errorf("Position = %v, %v", p, err)
	}
	if open, err := r.OpenAlarms(ctx); err != nil || len(open) != 1 || open[0].ID != "t3" {
		t.Errorf("OpenAlarms = %+v, %v", open, err)
	}
	got, err := r.Notes(ctx, "bus", store.Mark{}, 9)
	if diff := cmp.Diff([]libra.Note{notes[1], notes[3], notes[0]}, got); diff != "" || err != nil {
		t.Errorf("Notes of bus, %v (-want +got):\n%s", err, diff)
	}
	for _, c := range []struct {
		name string
		ask  func() ([]libra.Note, error)
		want []string
	}{
		{"all notes, a part", func() ([]libra.Note, error) { return r.Notes(ctx, "", store.Mark{}, 3) }, []string{"n8", "n2", "n9"}},
		{"all notes, from a mark in the middle of an instant", func() ([]libra.Note, error) { return r.Notes(ctx, "", store.Mark{At: at(2), ID: "n5"}, 9) }, []string{"n1", "n4"}},
		{"silences", func() ([]libra.Note, error) { return r.Silences(ctx, at(10)) }, []string{"n5", "n6"}},
		{"silences before one was cut short", func() ([]libra.Note, error) { return r.Silences(ctx, at(8)) }, []string{"n5", "n6", "n8"}},
		{"in force", func() ([]libra.Note, error) { return w.NotesInForce(ctx, at(10)) }, []string{"n2", "n9", "n5", "n6"}},
	} {
		list, err := c.ask()
		if diff := cmp.Diff(c.want, noteIDs(list)); diff != "" || err != nil {
			t.Errorf("%s, %v (-want +got):\n%s", c.name, err, diff)
		}
	}
}

func TestTransitions(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	var all []libra.Transition
	for n := range 10 { // two at a time, in one instant
		all = append(all, transition(fmt.Sprint("t", n), []string{"bus", "web"}[n%2], n/2, libra.Raised, 0))
	}
	if err := w.AddAlarms(ctx, all, event.Position{}); err != nil {
		t.Fatal(err)
	}
	for alarm, want := range map[string][]string{
		"":    {"t9", "t8", "t7", "t6", "t5", "t4", "t3", "t2", "t1", "t0"},
		"web": {"t9", "t7", "t5", "t3", "t1"},
	} {
		var got []string
		for mark, more := (store.Mark{}), true; more; {
			part, err := r.Transitions(ctx, alarm, mark, 3)
			if err != nil {
				t.Fatal(err)
			}
			for _, tr := range part {
				got, mark = append(got, tr.ID), store.Mark{At: tr.At, ID: tr.ID}
			}
			more = len(part) == 3
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("alarm %q, three at a time (-want +got):\n%s", alarm, diff)
		}
	}
}

func TestWatches(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	watch := func(page string, n, every int) event.Watch {
		return event.Watch{Page: page, URL: "https://example.org/" + page, EveryS: every, At: at(n), Budget: []byte(`[{"path":"/*"}]`)}
	}
	words := []event.Watch{
		watch("a", 1, 30), watch("b", 2, 30), watch("c", 3, 30),
		watch("b", 4, 0), watch("c", 5, 60), watch("c", 3, 30), // an old word comes late
	}
	place := event.Position{Created: start, Sequence: 6}
	if err := w.AddWatches(ctx, words, place); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Position(ctx, event.WatchStream); err != nil || p != place {
		t.Errorf("Position = %v, %v", p, err)
	}
	want := []event.Watch{words[4], words[0]}
	got, err := r.Watches(ctx)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Watches, %v (-want +got):\n%s", err, diff)
	}
	if got, err = w.Watches(ctx); !cmp.Equal(want, got) || err != nil {
		t.Errorf("the writer's Watches = %v, %v", got, err)
	}
}
