package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"libra/pkg/libra"
)

// alarmsDoc is what GET /api/alarms answers.
type alarmsDoc struct {
	Alarms           []alarmDoc `json:"alarms"` // never null; open first, the worst first, then newest first
	More             int        `json:"more"`   // how many are not listed
	Stale            bool       `json:"stale"`
	libra.ReasonList            // why stale
}

// alarmDoc is an alarm, and what was done about it since it was raised.
type alarmDoc struct {
	libra.Alarm
	At           time.Time      `json:"at"` // of the newest transition
	Host         string         `json:"host"`
	Acknowledged *doneDoc       `json:"acknowledged"` // who has it in hand; null for nobody, and once it has cleared
	Silenced     *libra.Silence `json:"silenced"`     // why nobody is told of it now; null where people are
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
func (s *Server) alarmDoc(t libra.Transition, silences []libra.Silence, now time.Time) alarmDoc {
	doc := alarmDoc{Alarm: t.Alarm, At: t.At, Host: t.Host, Actions: []doneDoc{}}
	for _, n := range s.notes.actions(t.Alarm) {
		doc.Actions = append(doc.Actions, done(n))
	}
	if t.Alarm.State != libra.Raised {
		return doc
	}
	if ack, ok := s.notes.Acknowledged(t.Alarm); ok {
		d := done(ack)
		doc.Acknowledged = &d
	}
	if i := slices.IndexFunc(silences, func(s libra.Silence) bool { return s.Covers(t.Alarm, now) }); i >= 0 {
		doc.Silenced = &silences[i]
	}
	return doc
}

// alarms lists the newest transition of every alarm in one state, or in any.
func (s *Server) alarms(ctx context.Context, state libra.AlarmState, limit int) alarmsDoc {
	doc := alarmsDoc{Alarms: []alarmDoc{}, ReasonList: libra.NoReasons()}
	list, caughtUp := s.memory.alarmList()
	if !caughtUp {
		old, err := s.readAlarms(ctx, 1000)
		if err == nil {
			list = newest(append(list, old...))
		}
	}
	doc.Stale = s.behind(&doc.ReasonList, caughtUp && s.notes.IsComplete(), "alarms")
	now := time.Now()
	silences := s.notes.Silences(now)
	for _, t := range list {
		switch {
		case state != "" && t.Alarm.State != state:
		case len(doc.Alarms) == limit:
			doc.More++
		default:
			doc.Alarms = append(doc.Alarms, s.alarmDoc(t, silences, now))
		}
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
	sortAlarms(list)
	return list
}

func (s *Server) getAlarms(w http.ResponseWriter, r *http.Request) {
	state := libra.AlarmState(r.URL.Query().Get("state"))
	if state != "" && state != libra.Raised && state != libra.Cleared {
		s.fail(w, r, badRequest("state", fmt.Sprintf("state %q is unknown", state), fmt.Sprintf("ask for %q or %q, or leave it out", libra.Raised, libra.Cleared)))
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.alarms(r.Context(), state, s.cfg.MaxList))
}

// alarm is the newest transition of an alarm, from memory or SQLite.
func (s *Server) alarm(ctx context.Context, id string) (libra.Transition, *problem) {
	t, known, caughtUp := s.memory.alarmOf(id)
	if known && caughtUp {
		return t, nil
	}
	// What cleared more than a month ago is in SQLite alone.
	old, err := s.readTransitions(ctx, id, cursor{}, 1)
	switch {
	case err == nil && len(old) > 0 && (!known || old[0].At.After(t.At)):
		return old[0], nil
	case known:
		return t, nil
	case !caughtUp || !s.busUp() || unreadable(err):
		return t, unavailable("not-readable", libra.CodeNotReadable, fmt.Sprintf("alarm %q is not in memory, and not all of bus and history can be read right now", id), "try again in a few seconds")
	}
	return t, noAlarm(id)
}

func noAlarm(id string) *problem {
	return newProblem(problemURN+"no-such-alarm", "No such alarm", http.StatusNotFound, libra.Reason{Code: libra.CodeNotFound, Text: fmt.Sprintf("no alarm %q was ever raised here", id), Remedy: "give an id that /api/alarms lists, such as bus"})
}

// detailDoc is what GET /api/alarms/{id} answers.
type detailDoc struct {
	alarmDoc
	Silences []silenceDoc `json:"silences"` // in force or to come, that are about it; never null
	timelineDoc
}

func (s *Server) detail(ctx context.Context, id string, after cursor, limit int) (detailDoc, *problem) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Patience)
	defer cancel()
	t, p := s.alarm(ctx, id)
	if p != nil {
		return detailDoc{}, p
	}
	now := time.Now()
	standing := s.notes.Silences(now)
	doc := detailDoc{alarmDoc: s.alarmDoc(t, standing, now), Silences: []silenceDoc{}, timelineDoc: s.timeline(ctx, id, after, limit)}
	for _, sil := range standing {
		if sil.Match.Fits(t.Alarm) {
			doc.Silences = append(doc.Silences, s.silenceDoc(sil, now))
		}
	}
	return doc, nil
}

func (s *Server) getAlarm(w http.ResponseWriter, r *http.Request) {
	after, limit, p := s.portion(r)
	if p == nil {
		var doc detailDoc
		if doc, p = s.detail(r.Context(), r.PathValue("id"), after, limit); p == nil {
			w.Header().Set("Cache-Control", "no-cache")
			writeTagged(w, r, doc)
			return
		}
	}
	s.fail(w, r, p)
}

// acknowledgedDoc is what POST /api/alarms/{id}/acknowledge answers.
type acknowledgedDoc struct {
	doneDoc
	Alarm string `json:"alarm"`
}

func (s *Server) postAcknowledge(w http.ResponseWriter, r *http.Request) {
	var text string
	p := readFields(w, r, "", `{"text": "on it"}`, map[string]any{"text": &text})
	if p == nil {
		var n libra.Note
		if n, p = s.acknowledge(r, r.PathValue("id"), text); p == nil {
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusOK, acknowledgedDoc{done(n), n.Alarm})
			return
		}
	}
	s.fail(w, r, p)
}

// acknowledge notes that whoever sent r has an alarm in hand. Without a
// problem it is durable.
func (s *Server) acknowledge(r *http.Request, id, text string) (n libra.Note, p *problem) {
	by, p := clientOf(r)
	if p == nil {
		text, p = words("text", text)
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
		return n, newProblem(problemURN+"cleared", "Cleared already", http.StatusConflict, libra.Reason{Code: libra.CodeAlarmCleared, Text: fmt.Sprintf("the alarm %q has cleared at %s by itself, there is nothing to acknowledge", id, stamp(t.At)), Remedy: fmt.Sprintf("see /alarms/%s for what happened", id)})
	}
	if was, ok := s.notes.Acknowledged(t.Alarm); ok && text == "" {
		text = saidBefore(was, by)
	}
	now := time.Now().UTC()
	n = libra.Note{ID: requestID(now), Kind: libra.Acknowledged, At: now, By: by, Text: text, Alarm: id}
	return n, s.note(ctx, n, "the acknowledgement")
}

// saidBefore is what stays said where somebody acknowledges an alarm again
// without a word: of somebody else's words, with the name.
func saidBefore(was libra.Note, by string) string {
	if was.By == by || was.Text == "" {
		return was.Text
	}
	return short(was.By+": "+was.Text, maxWords/4) // in characters, of up to four bytes
}

// note makes a note durable and keeps it in memory.
func (s *Server) note(ctx context.Context, n libra.Note, what string) *problem {
	if err := s.conn.PublishNote(ctx, n); err != nil {
		s.log.Warn("note refused", "kind", n.Kind, "alarm", n.Alarm, "by", n.By, "err", err)
		return notStored(what, err)
	}
	s.log.Info("noted", "kind", n.Kind, "alarm", n.Alarm, "by", n.By, "text", n.Text)
	s.onNote(n)
	return nil
}

// notStored is what to say where the bus could not take something.
func notStored(what string, err error) *problem {
	if errors.Is(err, libra.ErrFull) {
		return unavailable("full", libra.CodeStoreFull, what+" was not taken, the bus has no space left for it", "free some and try again")
	}
	return unavailable("bus", libra.CodeNotStored, what+" was not taken, the bus cannot store it right now", "try again in a few seconds")
}

// maxWords bounds what people write about an alarm, in bytes.
const maxWords = 1000

// words are what somebody wrote, on one line.
func words(key, text string) (string, *problem) {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxWords {
		return "", badRequest(key, fmt.Sprintf("%s is %d bytes long", key, len(text)), fmt.Sprintf("at most %d are taken", maxWords))
	}
	return text, nil
}

// postTest has a trial message sent through a channel.
func (s *Server) postTest(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if len(name) > maxClient {
		s.fail(w, r, badRequest("channel", fmt.Sprintf("channel %.40q… is %d bytes long", name, len(name)), fmt.Sprintf("at most %d are taken", maxClient)))
		return
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		s.fail(w, r, bodyProblem(err, "the body"))
		return
	}
	tried, err := s.conn.TryChannel(r.Context(), name)
	if err != nil {
		s.log.Warn("channel not tried", "channel", name, "err", err)
		if !s.busUp() {
			s.fail(w, r, unavailable("bus", libra.CodeNotStored, fmt.Sprintf("channel %q was not tried, the bus to libra-notifier is away", name), "try again in a few seconds"))
			return
		}
		s.fail(w, r, unavailable("notifier", libra.CodeNotifierSilent, fmt.Sprintf("channel %q was not tried, libra-notifier does not answer", name), "check that it runs, with systemctl status libra-notifier"))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, tried)
}
