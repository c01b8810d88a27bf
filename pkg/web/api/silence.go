package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/state"
)

// silencesDoc is what GET /api/silences answers.
type silencesDoc struct {
	Silences []SilenceDoc `json:"silences"` // never null; in force or to come, those that begin first first
	state.Freshness
}

// SilenceDoc is a silence in an answer.
type SilenceDoc struct {
	libra.Silence
	State silenceState `json:"state"`
	// Note says that nothing known matches: a typing error shows now, not at
	// night.
	Note string `json:"note,omitempty"`
}

func (s *API) silenceDoc(sil libra.Silence, now time.Time) SilenceDoc {
	doc := SilenceDoc{Silence: sil, State: stateOf(sil, now)}
	if s.fitsNothing(sil.Match) {
		doc.Note = "no alarm, open or cleared, and no watched page matches it so far: check the spelling. It applies to every later alarm that matches"
	}
	return doc
}

// fitsNothing reports whether a pattern matches no alarm in memory, nor, if it names
// no alarm, a watched page.
func (s *API) fitsNothing(m libra.Match) bool {
	if m.Alarm == "" && m.Target == "" {
		return false // no pattern to be wrong
	}
	alarms, known := s.state.Memory.AlarmList()
	if !known || !s.state.Watches.Ready() || slices.ContainsFunc(alarms, func(t libra.Transition) bool { return m.Fits(t.Alarm) }) {
		return false
	}
	return m.Alarm != "" || !slices.ContainsFunc(s.state.Watches.List(state.Cursor{}), func(w event.Watch) bool {
		return w.URL == "" || m.Fits(libra.Alarm{Scope: libra.ScopePage, Target: w.URL, Severity: libra.Info})
	})
}

// silenceState is the state of a silence now.
type silenceState string

const (
	planned silenceState = "planned" // a maintenance window ahead
	inForce silenceState = "in force"
	ended   silenceState = "ended"
)

func stateOf(s libra.Silence, now time.Time) silenceState {
	switch {
	case !now.Before(s.Until):
		return ended
	case now.Before(s.From):
		return planned
	}
	return inForce
}

// Silences lists those in force or to come.
func (s *API) Silences() silencesDoc {
	doc := silencesDoc{Silences: []SilenceDoc{}, Freshness: s.state.FreshSilences()}
	now := time.Now()
	for _, sil := range s.state.Notes.Silences(now) {
		doc.Silences = append(doc.Silences, s.silenceDoc(sil, now))
	}
	return doc
}

// GetSilences serves GET /api/silences.
func (s *API) GetSilences(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.Silences())
}

// SilenceAsked is a silence as it is asked for, by a program or with a form.
type SilenceAsked struct {
	Match libra.Match
	From  string // RFC 3339; "" is now
	For   string // "2h"; this or Until
	Until string // RFC 3339
	Why   string
}

const silenceExample = `{"match": {"alarm": "disk"}, "for": "2h", "why": "new disks"}`

// PostSilence serves POST /api/silences.
func (s *API) PostSilence(w http.ResponseWriter, r *http.Request) {
	var asked SilenceAsked
	var match json.RawMessage
	p := readFields(w, r, "", silenceExample, map[string]any{
		"match": &match, "from": &asked.From, "for": &asked.For, "until": &asked.Until, "why": &asked.Why,
	})
	if p == nil {
		p = readObject(match, `"match"`, `{"alarm": "disk"}`, map[string]any{
			"alarm": &asked.Match.Alarm, "scope": &asked.Match.Scope, "target": &asked.Match.Target, "severity": &asked.Match.Severity,
		})
	}
	if p == nil {
		var sil libra.Silence
		if sil, p = s.CreateSilence(r, asked); p == nil {
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusCreated, s.silenceDoc(sil, time.Now()))
			return
		}
	}
	s.Fail(w, r, p)
}

// CreateSilence stores a silence. Without a problem it is durable.
func (s *API) CreateSilence(r *http.Request, asked SilenceAsked) (sil libra.Silence, p *Problem) {
	by, p := s.whoSent(r)
	if p != nil {
		return sil, p
	}
	now := time.Now().UTC()
	if sil, p = asked.silence(now); p != nil {
		return sil, p
	}
	sil.ID, sil.By = requestID(now), by
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	return sil, s.note(ctx, r, libra.Note{ID: sil.ID, Kind: libra.Silenced, At: now, By: sil.By, Silence: &sil}, "the silence")
}

// silence checks what was asked for.
func (q SilenceAsked) silence(now time.Time) (sil libra.Silence, p *Problem) {
	sil = libra.Silence{Match: q.Match, From: now.Truncate(time.Second)}
	for _, pattern := range []*string{&sil.Match.Alarm, &sil.Match.Target} {
		if *pattern = strings.TrimSpace(*pattern); len(*pattern) > libra.MaxURLBytes {
			return sil, BadRequest("match", fmt.Sprintf("a pattern is %d bytes long", len(*pattern)), fmt.Sprintf("must be at most %d", libra.MaxURLBytes))
		}
	}
	var err error
	if q.From != "" {
		if sil.From, err = moment("from", q.From); err != nil {
			return sil, BadRequestOf("from", err)
		}
	}
	switch {
	case q.For != "" && q.Until != "":
		return sil, BadRequest("for", fmt.Sprintf(`the silence has two ends, for %q and until %q`, q.For, q.Until), `give only one of "for" and "until"`)
	case q.For == "" && q.Until == "":
		return sil, BadRequest("for", `the silence needs an end`, `give either "for", such as "2h", or "until", such as "`+now.Add(2*time.Hour).UTC().Format(time.RFC3339)+`"`)
	case q.For != "":
		lasts, err := span("for", q.For)
		if err != nil {
			return sil, BadRequestOf("for", err)
		}
		sil.Until = sil.From.Add(lasts)
	default:
		if sil.Until, err = moment("until", q.Until); err != nil {
			return sil, BadRequestOf("until", err)
		}
	}
	if sil.Why, p = Words("why", q.Why); p != nil {
		return sil, p
	}
	if sil.Why == "" {
		return sil, BadRequest("why", `the silence has no reason`, `give one in "why"`)
	}
	if err := sil.Check(now); err != nil {
		return sil, BadRequestOf("silence", err)
	}
	if !sil.Until.After(now) {
		return sil, BadRequest("until", fmt.Sprintf("the silence would have ended at %s already", libra.FormatTime(sil.Until)), "give a later end")
	}
	return sil, nil
}

// moment reads the time that a key has: RFC 3339, or as a form's field has it, in UTC.
func moment(key, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, invalid(fmt.Sprintf("invalid %s %q", key, text), "must be a time such as 2026-11-21T22:00:00Z")
}

// span reads the duration that a key has: in Go's form, or in whole days.
func span(key, text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(strings.TrimSpace(text), "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return 0, invalid(fmt.Sprintf("invalid %s %q", key, text), "must be a duration such as 30s, 20m, 2h or 7d")
	}
	return d, nil
}

// DeleteSilence serves DELETE /api/silences/{id}.
func (s *API) DeleteSilence(w http.ResponseWriter, r *http.Request) {
	sil, p := s.EndSilence(r, r.PathValue("id"))
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, SilenceDoc{Silence: sil, State: ended})
}

// EndSilence ends one that is in force or to come. Without a problem that is
// durable.
func (s *API) EndSilence(r *http.Request, id string) (sil libra.Silence, p *Problem) {
	by, p := s.whoSent(r)
	if p != nil {
		return sil, p
	}
	now := time.Now().UTC()
	sil, said, standing := s.state.Notes.Silence(id, now)
	if !standing && !s.state.Notes.IsComplete() {
		return sil, unavailable("not-readable", libra.CodeNotReadable, fmt.Sprintf("silence %q is not in memory, and not everything can be read from the bus right now", id), "try again in a few seconds")
	}
	if !standing {
		return sil, NewProblem(ProblemURN+"no-such-silence", "No such silence", http.StatusNotFound, libra.Reason{Code: libra.CodeNotFound, Text: fmt.Sprintf("no silence %q is in force or to come", id), Remedy: "give an id that /api/silences lists"})
	}
	sil.Until = now
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	at := now
	if !at.After(said) { // by a clock that was ahead: the newest note holds
		at = said.Add(1)
	}
	n := libra.Note{ID: requestID(now), Kind: libra.Silenced, At: at, By: by, Text: "ended early", Silence: &sil}
	return sil, s.note(ctx, r, n, "the end of the silence")
}
