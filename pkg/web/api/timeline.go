package api

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
	"libra/pkg/web/state"
)

// TimelineDoc is what happened: what GET /api/history answers, and a part of
// GET /api/alarms/{id}.
type TimelineDoc struct {
	Timeline []EntryDoc `json:"timeline"` // never null; newest first
	// Next is the cursor of the next part; "" at the end.
	Next string `json:"next"`
	state.Freshness
}

// EntryDoc is one thing that happened: an alarm was raised, again with another
// severity, or cleared; somebody or the appliance did something about it; a
// silence was made, changed or ended; somebody wrote on the board.
type EntryDoc struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // a libra.AlarmState or a libra.NoteKind
	Alarm string    `json:"alarm,omitempty"`
	// Target is what the alarm is about; of a note "" where the alarm is long over.
	Target string `json:"target,omitempty"`
	Page   string `json:"page,omitempty"` // the id of the page that a note on the board is about
	By     string `json:"by,omitempty"`   // who, of a note
	Text   string `json:"text"`           // an alarm's summary, or somebody's words

	// Of a transition.
	Severity libra.Severity `json:"severity,omitempty"`
	Evidence string         `json:"evidence,omitempty"`
	Host     string         `json:"host,omitempty"`
	Since    time.Time      `json:"since,omitzero"` // when it was raised

	Silence *libra.Silence `json:"silence,omitempty"` // as it is from then on
}

func ofTransition(t libra.Transition) EntryDoc {
	a := t.Alarm
	return EntryDoc{
		ID: t.ID, At: t.At, Kind: string(a.State), Alarm: a.ID, Text: a.Summary,
		Target: a.Target, Severity: a.Severity, Evidence: a.Evidence, Host: t.Host, Since: a.Since,
	}
}

func ofNote(n libra.Note) EntryDoc {
	e := EntryDoc{ID: n.ID, At: n.At, Kind: string(n.Kind), Alarm: n.Alarm, Page: n.Page, By: n.By, Text: n.Text, Silence: n.Silence}
	if n.Silence != nil {
		e.Text = cmp.Or(n.Text, n.Silence.Why)
	}
	return e
}

func (e EntryDoc) place() state.Cursor { return state.Cursor{At: e.At, ID: e.ID} }

// Timeline lists the events of an alarm, or to all where alarm is "", from
// after a place on. SQLite has all of it but for the last moments, which memory
// has.
func (s *API) Timeline(ctx context.Context, alarm string, after state.Cursor, limit int) TimelineDoc {
	doc := TimelineDoc{Timeline: []EntryDoc{}, Freshness: s.state.FreshTimeline()}
	var transitions []libra.Transition
	var notes, recorded []libra.Note
	var err, noteErr, boardErr error
	board, all := s.state.Board.Before(alarm, "", after, limit+1)
	end, refused := s.reading(ctx)
	if refused == nil {
		state.Together(func() {
			transitions, err = s.state.ReadTransitions(ctx, alarm, after, limit+1)
		}, func() {
			notes, noteErr = s.state.ReadNotes(ctx, alarm, after, limit+1)
		}, func() {
			if !all {
				recorded, boardErr = s.state.ReadBoard(ctx, alarm, "", after, limit+1)
			}
		})
	}
	end()
	list := s.inMemory(alarm, after, limit+1)
	for _, t := range transitions {
		list = append(list, ofTransition(t))
	}
	for _, n := range slices.Concat(notes, recorded, board) {
		list = append(list, ofNote(n))
	}
	list = inOrder(list)
	for i, e := range list {
		if e.Target == "" {
			list[i].Target = s.state.Memory.Target(e.Alarm)
		}
	}
	if len(list) > limit {
		list = list[:limit]
		doc.Next = list[limit-1].place().String()
	}
	doc.Timeline = append(doc.Timeline, list...)
	if refused != nil {
		doc.TooManyRead("this is what is in memory")
	}
	if state.Unreadable(errors.Join(err, noteErr, boardErr)) {
		s.state.WithoutHistory(&doc.Freshness, "this is what is in memory")
	}
	return doc
}

// inMemory is what memory knows: the newest transition of every alarm, and the
// newest notes.
func (s *API) inMemory(alarm string, after state.Cursor, limit int) (list []EntryDoc) {
	for _, t := range s.state.Memory.Transitions(alarm, after, limit) {
		list = append(list, ofTransition(t))
	}
	for _, n := range s.state.Notes.Before(alarm, after, limit) {
		list = append(list, ofNote(n))
	}
	return list
}

// inOrder sorts, newest first, and keeps one of each.
func inOrder(list []EntryDoc) []EntryDoc {
	slices.SortFunc(list, func(a, b EntryDoc) int { return b.place().Compare(a.place()) })
	return slices.CompactFunc(list, func(a, b EntryDoc) bool { return a.ID == b.ID })
}

// Portion is which part of a list is asked for.
func (s *API) Portion(r *http.Request) (after state.Cursor, limit int, p *Problem) {
	limit, p = s.limit(r)
	if p != nil {
		return after, 0, p
	}
	text := r.URL.Query().Get("after")
	after, ok := state.DecodeCursor(text)
	if !ok {
		return after, 0, BadRequestOf("after", NoPlace(text))
	}
	return after, limit, nil
}

func (s *API) limit(r *http.Request) (int, *Problem) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return min(50, s.cfg.MaxList), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > s.cfg.MaxList {
		return 0, BadRequest("limit", fmt.Sprintf("invalid limit %q", text), fmt.Sprintf("must be a whole number from 1 to %d", s.cfg.MaxList))
	}
	return n, nil
}

// GetHistory serves GET /api/history.
func (s *API) GetHistory(w http.ResponseWriter, r *http.Request) {
	after, limit, p := s.Portion(r)
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Patience)
	defer cancel()
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.Timeline(ctx, "", after, limit))
}
