package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/state"
)

// alarmsDoc is what GET /api/alarms answers.
type alarmsDoc struct {
	Alarms []AlarmDoc `json:"alarms"` // never null; open first, the worst first, then newest first
	More   int        `json:"more"`   // how many are not listed
	state.Freshness
}

// AlarmDoc is an alarm, and what was done about it since it was raised.
type AlarmDoc struct {
	libra.Alarm
	At           time.Time      `json:"at"`                     // of the newest transition
	ExplainedBy  string         `json:"explained_by,omitempty"` // Cause, while that alarm is raised, too
	Host         string         `json:"host"`
	Acknowledged *doneDoc       `json:"acknowledged"` // the newest acknowledgement; null without one, and once it has cleared
	Silenced     *libra.Silence `json:"silenced"`     // the silence that suppresses its notifications, of several the one that ends last; null without one
	Actions      []doneDoc      `json:"actions"`      // what the appliance did by itself; never null
}

// doneDoc is something that was done about an alarm.
type doneDoc struct {
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text"`
}

func done(n libra.Note) doneDoc { return doneDoc{n.ID, n.At, n.By, n.Text} }

// alarmDoc puts together what is known of an alarm.
func (s *API) alarmDoc(t libra.Transition, now time.Time) AlarmDoc {
	doc := AlarmDoc{Alarm: t.Alarm, At: t.At, Host: t.Host, Actions: []doneDoc{}}
	for _, n := range s.state.Notes.Actions(t.Alarm) {
		doc.Actions = append(doc.Actions, done(n))
	}
	if t.Alarm.State != libra.Raised {
		return doc
	}
	if cause, known, _ := s.state.Memory.AlarmOf(t.Alarm.Cause); known && cause.Alarm.State == libra.Raised {
		doc.ExplainedBy = t.Alarm.Cause
	}
	if ack, ok := s.state.Notes.Acknowledged(t.Alarm); ok {
		d := done(ack)
		doc.Acknowledged = &d
	}
	if sil, ok := s.state.Notes.Silenced(t.Alarm, now); ok {
		doc.Silenced = &sil
	}
	return doc
}

// Alarms lists the newest transition of every alarm in one state, or in any.
func (s *API) Alarms(ctx context.Context, state libra.AlarmState, limit int) alarmsDoc {
	doc := alarmsDoc{Alarms: []AlarmDoc{}, Freshness: s.state.FreshAlarms()} // before they are read
	list, caughtUp := s.state.Memory.AlarmList()
	if !caughtUp {
		old, err := s.state.ReadAlarms(ctx, 1000)
		if err == nil {
			list = newest(append(list, old...))
		}
	}
	now := time.Now()
	for _, t := range list {
		switch {
		case state != "" && t.Alarm.State != state:
		case len(doc.Alarms) == limit:
			doc.More++
		default:
			doc.Alarms = append(doc.Alarms, s.alarmDoc(t, now))
		}
	}
	if state != libra.Cleared {
		unlisted, _ := s.state.Memory.Unlisted()
		doc.More += unlisted
	}
	return doc
}

// newest keeps the last transition of every alarm.
func newest(list []libra.Transition) []libra.Transition {
	slices.SortFunc(list, func(a, b libra.Transition) int { return b.At.Compare(a.At) })
	seen := map[string]bool{}
	list = slices.DeleteFunc(list, func(t libra.Transition) bool {
		was := seen[t.Alarm.ID]
		seen[t.Alarm.ID] = true
		return was
	})
	state.SortAlarms(list)
	return list
}

// GetAlarms serves GET /api/alarms.
func (s *API) GetAlarms(w http.ResponseWriter, r *http.Request) {
	state := libra.AlarmState(r.URL.Query().Get("state"))
	if state != "" && state != libra.Raised && state != libra.Cleared {
		s.Fail(w, r, BadRequest("state", fmt.Sprintf("invalid state %q", state), fmt.Sprintf("must be %s or %s, or left out", libra.Raised, libra.Cleared)))
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.Alarms(r.Context(), state, s.cfg.MaxList))
}

// alarm is the newest transition of an alarm, from memory or SQLite.
func (s *API) alarm(ctx context.Context, id string) (libra.Transition, *Problem) {
	t, known, caughtUp := s.state.Memory.AlarmOf(id)
	if known && caughtUp {
		return t, nil
	}
	// What cleared more than a month ago is in SQLite alone.
	old, err := s.state.ReadTransitions(ctx, id, state.Cursor{}, 1)
	switch {
	case err == nil && len(old) > 0 && (!known || old[0].At.After(t.At)):
		return old[0], nil
	case known:
		return t, nil
	case !caughtUp || !s.state.BusUp() || state.Unreadable(err):
		return t, unavailable("not-readable", libra.CodeNotReadable, fmt.Sprintf("alarm %q is not in memory, and not all of bus and history can be read right now", id), "try again in a few seconds")
	}
	return t, noAlarm(id)
}

func noAlarm(id string) *Problem {
	return NewProblem(ProblemURN+"no-such-alarm", "No such alarm", http.StatusNotFound, libra.Reason{Code: libra.CodeNotFound, Text: fmt.Sprintf("no alarm %q has ever been raised", id), Remedy: "give an id that /api/alarms lists, such as bus"}).of(About{ID: id})
}

// detailDoc is what GET /api/alarms/{id} answers.
type detailDoc struct {
	AlarmDoc
	Silences []SilenceDoc `json:"silences"` // in force or to come, that are about it; never null
	// StateUnknownSince is since when the alarm may have been raised or cleared; left out
	// while its state is known.
	StateUnknownSince time.Time `json:"state_unknown_since,omitzero"`
	TimelineDoc
}

// Detail is an alarm with its silences and its timeline from a place on.
func (s *API) Detail(ctx context.Context, id string, after state.Cursor, limit int) (detailDoc, *Problem) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	unknownSince := s.state.FreshAlarms().UnknownSince
	t, p := s.alarm(ctx, id)
	if p != nil {
		return detailDoc{}, p
	}
	now := time.Now()
	doc := detailDoc{AlarmDoc: s.alarmDoc(t, now), Silences: []SilenceDoc{}, StateUnknownSince: unknownSince, TimelineDoc: s.Timeline(ctx, id, after, limit)}
	for _, sil := range s.state.Notes.Silences(now) {
		if sil.Match.Fits(t.Alarm) {
			doc.Silences = append(doc.Silences, s.silenceDoc(sil, now))
		}
	}
	return doc, nil
}

// GetAlarm serves GET /api/alarms/{id}.
func (s *API) GetAlarm(w http.ResponseWriter, r *http.Request) {
	after, limit, p := s.Portion(r)
	if p == nil {
		var doc detailDoc
		if doc, p = s.Detail(r.Context(), r.PathValue("id"), after, limit); p == nil {
			w.Header().Set("Cache-Control", "no-cache")
			writeTagged(w, r, doc)
			return
		}
	}
	s.Fail(w, r, p)
}

// acknowledgedDoc is what POST /api/alarms/{id}/acknowledge answers.
type acknowledgedDoc struct {
	doneDoc
	Alarm string `json:"alarm"`
}

// PostAcknowledge serves POST /api/alarms/{id}/acknowledge.
func (s *API) PostAcknowledge(w http.ResponseWriter, r *http.Request) {
	var text string
	p := readFields(w, r, "", `{"text": "on it"}`, map[string]any{"text": &text})
	if p == nil {
		var n libra.Note
		if n, p = s.Acknowledge(r, r.PathValue("id"), text); p == nil {
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusOK, acknowledgedDoc{done(n), n.Alarm})
			return
		}
	}
	s.Fail(w, r, p)
}

// Acknowledge acknowledges an alarm on behalf of the client of r. Without a
// problem it is durable.
func (s *API) Acknowledge(r *http.Request, id, text string) (n libra.Note, p *Problem) {
	by, p := s.whoSent(r)
	if p == nil {
		text, p = Words("text", text)
	}
	if p != nil {
		return n, p
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	t, p := s.alarm(ctx, id)
	if p != nil {
		return n, p
	}
	if t.Alarm.State != libra.Raised {
		return n, NewProblem(ProblemURN+"cleared", "Cleared already", http.StatusConflict, libra.Reason{Code: libra.CodeAlarmCleared, Text: fmt.Sprintf("the alarm %q has cleared at %s by itself, there is nothing to acknowledge", id, libra.FormatTime(t.At)), Remedy: fmt.Sprintf("see /alarms/%s for what happened", id)}).of(About{ID: id, At: t.At})
	}
	if was, ok := s.state.Notes.Acknowledged(t.Alarm); ok && text == "" {
		text = earlierText(was, by)
	}
	now := time.Now().UTC()
	n = libra.Note{ID: requestID(now), Kind: libra.Acknowledged, At: now, By: by, Text: text, Alarm: id}
	return n, s.note(ctx, r, n, "the acknowledgement")
}

// earlierText is the text of an acknowledgement without one that follows another:
// the earlier text, with the name of its author if that is somebody else.
func earlierText(was libra.Note, by string) string {
	if was.By == by || was.Text == "" {
		return was.Text
	}
	return Short(was.By+": "+was.Text, maxWords/4) // in characters, of up to four bytes
}

// note makes a note durable and keeps it in memory.
func (s *API) note(ctx context.Context, r *http.Request, n libra.Note, what string) *Problem {
	p, err := s.store(ctx, r, func(ctx context.Context) error { return s.conn.PublishNote(ctx, n) })
	if p != nil {
		return p
	}
	if err != nil {
		s.log.Warn("note refused", "kind", n.Kind, "alarm", n.Alarm, "by", n.By, "err", err)
		return notStored(what, err)
	}
	s.log.Info("noted", "kind", n.Kind, "alarm", n.Alarm, "by", n.By, "text", n.Text)
	s.state.OnNote(n)
	return nil
}

// notStored is the problem of something that the bus has not stored.
func notStored(what string, err error) *Problem {
	if errors.Is(err, libra.ErrFull) {
		return unavailable("full", libra.CodeStoreFull, what+" was not stored, the bus has no space left for it", "free some and try again")
	}
	return unavailable("bus", libra.CodeNotStored, what+" was not stored, the bus cannot store it right now", "try again in a few seconds")
}

// maxWords bounds what people write about an alarm, in bytes.
const maxWords = 1000

// Words is a text that a person wrote, on one line.
func Words(key, text string) (string, *Problem) {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxWords {
		return "", BadRequest(key, fmt.Sprintf("%s is %d bytes long", key, len(text)), fmt.Sprintf("must be at most %d", maxWords))
	}
	return text, nil
}

// mostTrials is how many trial messages are sent at a time: a provider may take 20 s to
// answer one, and its request holds a connection as long.
const mostTrials = 4

// PostTest has a trial message sent through a channel. One too many is refused before its
// body is read; one that is still being read takes no other's place.
func (s *API) PostTest(w http.ResponseWriter, r *http.Request) {
	tooMany := unavailable("overloaded", libra.CodeOverloaded, fmt.Sprintf("%d trial messages are being sent already, and this one was refused unread", mostTrials), "try again in a few seconds")
	if len(s.trials) == mostTrials {
		s.refuseUnread(w, r, tooMany)
		return
	}
	name := r.PathValue("name")
	if len(name) > MaxClient {
		s.Fail(w, r, BadRequest("channel", fmt.Sprintf("channel %.40q… is %d bytes long", name, len(name)), fmt.Sprintf("must be at most %d", MaxClient)))
		return
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		s.Fail(w, r, bodyProblem(err, "the body"))
		return
	}
	select {
	case s.trials <- struct{}{}:
		defer func() { <-s.trials }()
	default:
		s.Fail(w, r, tooMany)
		return
	}
	tried, err := s.conn.TryChannel(r.Context(), name)
	if err != nil {
		s.failNotifier(w, r, fmt.Sprintf("channel %q was not tried", name), err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, tried)
}

// channels is what GET /api/channels answers.
type channels struct {
	Channels []string      `json:"channels"`
	Routes   []event.Route `json:"routes"` // null: unknown, from a notifier of an earlier version
}

// GetChannels serves the channels and routes in force.
func (s *API) GetChannels(w http.ResponseWriter, r *http.Request) {
	tried, err := s.conn.Channels(r.Context())
	if err != nil {
		s.failNotifier(w, r, "channels are not known", err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, channels{tried.Channels, tried.Routes})
}

// failNotifier answers that the notifier cannot be asked: what is the consequence.
func (s *API) failNotifier(w http.ResponseWriter, r *http.Request, what string, err error) {
	s.log.Warn("notifier not asked", "path", r.URL.Path, "err", err)
	if !s.state.BusUp() {
		s.Fail(w, r, unavailable("bus", libra.CodeNotStored, what+", the bus to libra-notifier is away", "try again in a few seconds"))
		return
	}
	s.Fail(w, r, unavailable("notifier", libra.CodeNotifierSilent, what+", libra-notifier does not answer", "check that it runs, with systemctl status libra-notifier"))
}
