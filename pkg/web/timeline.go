package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"libra/pkg/libra"
	"libra/pkg/store"
)

// timelineDoc is what happened: what GET /api/history answers, and a part of
// GET /api/alarms/{id}.
type timelineDoc struct {
	Timeline []entryDoc `json:"timeline"` // never null; newest first
	// Next is the cursor of the next part; "" where there is none.
	Next             string `json:"next"`
	Stale            bool   `json:"stale"`
	libra.ReasonList        // why stale
}

// entryDoc is one thing that happened: an alarm was raised, again with another
// severity, or cleared; somebody or the appliance did something about it; a
// silence was made, changed or ended.
type entryDoc struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // a libra.AlarmState or a libra.NoteKind
	Alarm string    `json:"alarm,omitempty"`
	// Target is what is unwell; of a note "" where the alarm is long over.
	Target string `json:"target,omitempty"`
	By     string `json:"by,omitempty"` // who, of a note
	Text   string `json:"text"`         // an alarm's summary, or somebody's words

	// Of a transition.
	Severity libra.Severity `json:"severity,omitempty"`
	Evidence string         `json:"evidence,omitempty"`
	Host     string         `json:"host,omitempty"`
	Since    time.Time      `json:"since,omitzero"` // when it was raised

	Silence *libra.Silence `json:"silence,omitempty"` // as it is from then on
}

func ofTransition(t libra.Transition) entryDoc {
	a := t.Alarm
	return entryDoc{
		ID: t.ID, At: t.At, Kind: string(a.State), Alarm: a.ID, Text: a.Summary,
		Target: a.Target, Severity: a.Severity, Evidence: a.Evidence, Host: t.Host, Since: a.Since,
	}
}

func ofNote(n libra.Note) entryDoc {
	e := entryDoc{ID: n.ID, At: n.At, Kind: string(n.Kind), Alarm: n.Alarm, By: n.By, Text: n.Text, Silence: n.Silence}
	if n.Silence != nil {
		e.Text = cmp.Or(n.Text, n.Silence.Why)
	}
	return e
}

func (e entryDoc) place() cursor { return cursor{e.At, e.ID} }

func historyMark(c cursor) store.Mark { return store.Mark{At: c.at, ID: c.id} }

// timeline tells what happened to an alarm, or to all where alarm is "", from
// after a place on. SQLite has all of it but for the last moments, which memory
// has.
func (s *Server) timeline(ctx context.Context, alarm string, after cursor, limit int) timelineDoc {
	doc := timelineDoc{Timeline: []entryDoc{}, ReasonList: libra.NoReasons()}
	var transitions []libra.Transition
	var notes []libra.Note
	var err, noteErr error
	together(func() {
		transitions, err = s.readTransitions(ctx, alarm, after, limit+1)
	}, func() {
		notes, noteErr = s.readNotes(ctx, alarm, after, limit+1)
	})
	list := s.inMemory(alarm, after, limit+1)
	for _, t := range transitions {
		list = append(list, ofTransition(t))
	}
	for _, n := range notes {
		list = append(list, ofNote(n))
	}
	list = inOrder(list)
	for i, e := range list {
		if e.Target == "" {
			list[i].Target = s.memory.target(e.Alarm)
		}
	}
	if len(list) > limit {
		list = list[:limit]
		doc.Next = list[limit-1].place().String()
	}
	doc.Timeline = append(doc.Timeline, list...)
	_, alarmed := s.memory.ready()
	doc.Stale = s.behind(&doc.ReasonList, alarmed && s.notes.IsComplete(), "alarms")
	if err := errors.Join(err, noteErr); unreadable(err) {
		doc.Stale = true
		doc.AddReason(libra.Reason{Code: libra.CodeHistoryUnreadable, Text: "history cannot be read: this is what is in memory"})
	}
	return doc
}

// inMemory is what memory knows: the newest transition of every alarm, and the
// newest notes.
func (s *Server) inMemory(alarm string, after cursor, limit int) (list []entryDoc) {
	for _, t := range s.memory.transitions(alarm, after, limit) {
		list = append(list, ofTransition(t))
	}
	for _, n := range s.notes.before(alarm, after, limit) {
		list = append(list, ofNote(n))
	}
	return list
}

// inOrder sorts, newest first, and keeps one of each.
func inOrder(list []entryDoc) []entryDoc {
	slices.SortFunc(list, func(a, b entryDoc) int { return b.place().compare(a.place()) })
	return slices.CompactFunc(list, func(a, b entryDoc) bool { return a.ID == b.ID })
}

// isAfter says whether something comes after the place, in a list with the
// newest first.
func (c cursor) isAfter(at time.Time, id string) bool {
	return c.at.IsZero() || cursor{at, id}.compare(c) < 0
}

// portion is which part of a list is asked for.
func (s *Server) portion(r *http.Request) (after cursor, limit int, p *problem) {
	limit, p = s.limit(r)
	if p != nil {
		return after, 0, p
	}
	text := r.URL.Query().Get("after")
	after, ok := decodeCursor(text)
	if !ok {
		return after, 0, refused("after", noPlace(text))
	}
	return after, limit, nil
}

func (s *Server) limit(r *http.Request) (int, *problem) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return min(50, s.cfg.MaxList), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > s.cfg.MaxList {
		return 0, badRequest("limit", fmt.Sprintf("limit %q is not taken", text), fmt.Sprintf("give a whole number from 1 to %d", s.cfg.MaxList))
	}
	return n, nil
}

func (s *Server) getHistory(w http.ResponseWriter, r *http.Request) {
	after, limit, p := s.portion(r)
	if p != nil {
		s.fail(w, r, p)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Patience)
	defer cancel()
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.timeline(ctx, "", after, limit))
}
