package notes_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
	"libra/pkg/notes"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ack(alarm string, at time.Time, text string) libra.Note {
	return libra.Note{ID: alarm + "." + text, Kind: libra.Acknowledged, At: at, By: "anna", Alarm: alarm, Text: text}
}

func silence(id, alarm string, noted, from, until time.Time) libra.Note {
	s := libra.Silence{ID: id, Match: libra.Match{Alarm: alarm}, From: from, Until: until, By: "anna", Why: "maintenance"}
	return libra.Note{ID: id + noted.String(), Kind: libra.Silenced, At: noted, By: "anna", Silence: &s}
}

// In whatever order notes arrive, and how often, the newest one holds.
func TestNewestNoteHolds(t *testing.T) {
	list := []libra.Note{
		ack("bus", noon, "first"), ack("bus", noon.Add(time.Minute), "second"), ack("bus", noon.Add(time.Minute), "third"),
		silence("s1", "bus", noon, noon, noon.Add(time.Hour)),
		silence("s1", "bus", noon.Add(time.Minute), noon, noon.Add(time.Minute)), // ended early
		{ID: "a1", Kind: libra.Action, At: noon, Alarm: "bus"},
	}
	for i := range 2 {
		if i == 1 {
			slices.Reverse(list)
		}
		b := notes.New(0)
		for _, n := range append(list, list...) {
			b.Add(n)
		}
		if got, ok := b.Acknowledged(libra.Alarm{ID: "bus", Since: noon}); !ok || got.Text != "third" {
			t.Errorf("order %d: acknowledged %v with %q, want third", i, ok, got.Text)
		}
		if s, ok := b.Silenced(libra.Alarm{ID: "bus"}, noon.Add(2*time.Minute)); ok {
			t.Errorf("order %d: silenced until %v after its early end", i, s.Until)
		}
		if n := len(b.Notes()); n != 2 {
			t.Errorf("order %d: the book has %d notes, want 2", i, n)
		}
	}
}

func TestAddReportsChange(t *testing.T) {
	b := notes.New(0)
	for _, c := range []struct {
		note libra.Note
		want bool
	}{
		{ack("bus", noon, "b"), true},
		{ack("bus", noon, "b"), false},
		{ack("bus", noon, "a"), false},
		{ack("bus", noon.Add(-1), "c"), false},
		{ack("web", noon, "b"), true},
		{silence("s", "*", noon, noon, noon.Add(1)), true},
		{silence("s", "*", noon, noon, noon.Add(2)), false},
		{libra.Note{ID: "a", Kind: libra.Action, At: noon, Alarm: "bus"}, false},
	} {
		if got := b.Add(c.note); got != c.want {
			t.Errorf("Add(%s) = %v, want %v", c.note.ID, got, c.want)
		}
	}
}

// An acknowledgement is for the alarm as it is raised now, not for the next
// time it is raised.
func TestAcknowledgedSinceRaise(t *testing.T) {
	b := notes.New(0)
	b.Add(ack("bus", noon, "on it"))
	for since, want := range map[time.Time]bool{noon.Add(-time.Hour): true, noon: true, noon.Add(time.Second): false} {
		if _, ok := b.Acknowledged(libra.Alarm{ID: "bus", Since: since}); ok != want {
			t.Errorf("raised at %v: acknowledged %v, want %v", since, ok, want)
		}
	}
}

func TestSilences(t *testing.T) {
	b := notes.New(0)
	b.Add(silence("short", "bus", noon, noon, noon.Add(time.Hour)))
	b.Add(silence("long", "b*", noon, noon, noon.Add(2*time.Hour)))
	b.Add(silence("later", "bus", noon, noon.Add(5*time.Hour), noon.Add(6*time.Hour)))
	b.Add(silence("over", "bus", noon, noon.Add(-time.Hour), noon))
	ids := func(at time.Time) (list []string) {
		for _, s := range b.Silences(at) {
			list = append(list, s.ID)
		}
		return list
	}
	if diff := cmp.Diff([]string{"long", "short", "later"}, ids(noon)); diff != "" {
		t.Errorf("at noon (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"later"}, ids(noon.Add(2*time.Hour))); diff != "" {
		t.Errorf("at two (-want +got):\n%s", diff)
	}
	if s, ok := b.Silenced(libra.Alarm{ID: "bus"}, noon); !ok || s.ID != "long" {
		t.Errorf("the bus is silenced by %q, want by the one that ends last", s.ID)
	}
	if _, ok := b.Silenced(libra.Alarm{ID: "web"}, noon); ok {
		t.Error("web is silenced")
	}
	if _, noted, ok := b.Silence("later", noon); !ok || !noted.Equal(noon) {
		t.Errorf("the silence to come: %v, noted %v", ok, noted)
	}
	if _, _, ok := b.Silence("over", noon); ok {
		t.Error("a silence is returned at its end")
	}
}

func TestPruneKeepsWhatMayMatter(t *testing.T) {
	b := notes.New(0)
	now := noon.Add(2 * libra.LongestSilence)
	b.Add(silence("old", "bus", noon, noon, noon.Add(time.Hour)))
	b.Add(silence("ended lately", "bus", noon, noon, now.Add(-time.Hour)))
	b.Add(silence("changed lately", "bus", now, noon, noon.Add(time.Hour)))
	b.Add(ack("bus", noon, "on it"))
	b.Prune(now)
	var left []string
	for _, n := range b.Notes() {
		if n.Silence != nil {
			left = append(left, n.Silence.ID)
		} else {
			left = append(left, n.Alarm)
		}
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{"bus", "changed lately", "ended lately"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// The book stays within its bytes, whatever is added, and drops what matters
// least first.
func TestBoundInBytes(t *testing.T) {
	const most = 20_000
	b := notes.New(most)
	now := time.Now()
	b.Add(silence("ended", "x", now, now.Add(-2*time.Hour), now.Add(-time.Hour)))
	b.Add(silence("in force", "x", now, now.Add(-time.Hour), now.Add(time.Hour)))
	for i := range 200 {
		b.Add(ack(fmt.Sprint("alarm.", i), now.Add(time.Duration(i-300)*time.Second), strings.Repeat("x", 500)))
		if b.Size() > most {
			t.Fatalf("%d bytes after %d notes, at most %d", b.Size(), i, most)
		}
	}
	if b.Size() < most/2 {
		t.Errorf("%d bytes are left of %d: too much was dropped", b.Size(), most)
	}
	if _, ok := b.Acknowledged(libra.Alarm{ID: "alarm.0"}); ok {
		t.Error("the oldest acknowledgement is still there")
	}
	if _, ok := b.Acknowledged(libra.Alarm{ID: "alarm.199"}); !ok {
		t.Error("the newest acknowledgement was dropped")
	}
	if _, _, ok := b.Silence("in force", now); !ok {
		t.Error("the silence in force was dropped before older notes")
	}
	for _, n := range b.Notes() {
		if n.Silence != nil && n.Silence.ID == "ended" {
			t.Error("a silence that has ended is still there")
		}
	}
	before := b.Size()
	if b.Add(ack("huge", now.Add(time.Hour), strings.Repeat("x", most/4))) || b.Size() != before {
		t.Errorf("a huge note changed the book from %d to %d bytes", before, b.Size())
	}
}

// A silence that was ended early stays ended although its newest note was dropped
// for room, or is too large to hold, and its older one comes again.
func TestDroppedNoteBringsNoSilenceBack(t *testing.T) {
	const most = 20_000
	now := time.Now()
	made := silence("s", "bus", now.Add(-time.Hour), now.Add(-time.Hour), now.Add(time.Hour))
	ended := silence("s", "bus", now.Add(-time.Minute), now.Add(-time.Hour), now.Add(-time.Minute))
	large := ended
	large.Text = strings.Repeat("x", most/4)
	for _, end := range []libra.Note{ended, large} {
		b := notes.New(most)
		if b.Add(made); !b.Add(end) {
			t.Error("the end of a silence changed nothing")
		}
		if _, ok := b.Silenced(libra.Alarm{ID: "bus"}, now); ok {
			t.Error("silenced although the silence was ended")
		}
		for i := range 100 {
			b.Add(ack(fmt.Sprint("alarm.", i), now, strings.Repeat("x", 500)))
		}
		if _, ok := b.Acknowledged(libra.Alarm{ID: "alarm.99"}); !ok {
			t.Error("an acknowledgement was not added")
		}
		if changed := b.Add(made); changed {
			t.Error("the silence is back")
		}
		if _, ok := b.Silenced(libra.Alarm{ID: "bus"}, now); ok {
			t.Error("silenced after the silence was ended")
		}
		b.Add(silence("new", "bus", time.Now(), now, now.Add(time.Hour)))
		if _, ok := b.Silenced(libra.Alarm{ID: "bus"}, now); !ok {
			t.Error("a new silence was not added")
		}
	}
}

func TestNotesRestoreTheBook(t *testing.T) {
	b := notes.New(0)
	b.Add(ack("bus", noon, "on it"))
	b.Add(silence("s", "web", noon, noon, noon.Add(time.Hour)))
	restored := notes.New(0)
	for _, n := range b.Notes() {
		restored.Add(n)
	}
	if diff := cmp.Diff(b.Notes(), restored.Notes()); diff != "" || b.Size() != restored.Size() || b.Size() == 0 {
		t.Errorf("%d and %d bytes (-first +restored):\n%s", b.Size(), restored.Size(), diff)
	}
}

func TestComplete(t *testing.T) {
	b := notes.New(0)
	if b.IsComplete() {
		t.Error("complete before its owner said so")
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(b.MarkComplete)
	}
	wg.Wait()
	<-b.Complete()
	if !b.IsComplete() {
		t.Error("not complete")
	}
}
