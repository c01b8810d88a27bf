package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"libra/pkg/libra"
)

// alarmsPage is what /alarms shows.
type alarmsPage struct {
	actsPage
	Open     []alarmRow
	More     int      // open ones that are not listed
	Reasons  []string // why the list may lack something
	Silences []silenceDoc
	History  historyPage
	First    bool // nothing was paged past
	Form     silenceForm
}

// actsPage is what the forms of an alarm are filled with.
type actsPage struct {
	Name string // of whoever looks at it, as told last
	Now  time.Time
}

// historyPage is a part of what happened.
type historyPage struct {
	Rows    []entryRow
	Next    string
	Reasons []string
	Of      string // the alarm whose page it is on, "" for none
}

// alarmRow is an alarm as people see it.
type alarmRow struct {
	actsPage
	alarmDoc
	Runbook string // a link, "" where the alarm names no section
	Lasted  string // once it has cleared
}

// OpenFor is how long it has been open.
func (a alarmRow) OpenFor(now time.Time) string { return libra.FormatDuration(now.Sub(a.Since)) }

// silenceForm is the form of a silence: what was typed, and what was wrong with
// it.
type silenceForm struct {
	Alarm, Target, Scope, Severity, From, For, Why, Fault string
}

// Scopes and Severities are the form's choices.
func (silenceForm) Scopes() []libra.Scope        { return libra.Scopes() }
func (silenceForm) Severities() []libra.Severity { return libra.Severities() }

// choice is an option of a form.
type choice struct{ Value, Text string }

// spanChoices are the options for how long a silence lasts.
func spanChoices() []choice {
	return []choice{{"30m", "30 minutes"}, {"1h", "1 hour"}, {"2h", "2 hours"}, {"8h", "8 hours"}, {"1d", "1 day"}, {"3d", "3 days"}, {"7d", "7 days"}, {"29d", "29 days"}}
}

// everyChoices are the options for how often a page is weighed, with the one
// that is in force.
func everyChoices(seconds int) []choice {
	list := []choice{{"30s", "30 seconds"}, {"1m", "minute"}, {"5m", "5 minutes"}, {"15m", "15 minutes"}, {"1h", "hour"}, {"6h", "6 hours"}, {"24h", "day"}}
	now := showEvery(seconds)
	if now != "" && !slices.ContainsFunc(list, func(c choice) bool { return c.Value == now }) {
		list = append([]choice{{now, now}}, list...)
	}
	return list
}

// How many alarms and events one page shows.
const (
	openRows    = 50
	historyRows = 30
)

// Total counts the open alarms.
func (p alarmsPage) Total() int { return len(p.Open) + p.More }

func (s *Server) getAlarmsHTML(w http.ResponseWriter, r *http.Request) {
	s.renderAlarms(w, r, http.StatusOK, silenceForm{For: "2h"})
}

func (s *Server) renderAlarms(w http.ResponseWriter, r *http.Request, code int, form silenceForm) {
	text := r.URL.Query().Get("after")
	after, ok := decodeCursor(text)
	if !ok {
		s.fail(w, r, refused("after", noPlace(text)))
		return
	}
	doc := alarmsPage{actsPage: actsPage{nameOf(r), time.Now()}, First: after.at.IsZero(), Form: form}
	doc.History = historyRowsOf(s.timeline(r.Context(), "", after, min(historyRows, s.cfg.MaxList)), "")
	if doc.First {
		open := s.alarms(r.Context(), libra.Raised, min(openRows, s.cfg.MaxList))
		for _, a := range open.Alarms {
			doc.Open = append(doc.Open, s.alarmRow(doc.actsPage, a))
		}
		doc.More, doc.Reasons, doc.Silences = open.More, open.Reasons, s.silences().Silences
	}
	s.renderLive(w, r, code, "alarms", layout{Title: "Alarms", Listen: doc.First && form.Fault == "", Document: doc})
}

func (s *Server) alarmRow(acts actsPage, a alarmDoc) alarmRow {
	row := alarmRow{actsPage: acts, alarmDoc: a}
	if strings.HasPrefix(a.Runbook, "#") { // else it is none of ours
		row.Runbook = strings.TrimSuffix(s.cfg.RunbookURL, "#") + a.Runbook
	}
	if a.State == libra.Cleared {
		row.Lasted = libra.FormatDuration(a.Until.Sub(a.Since))
	}
	return row
}

// alarmPage is what /alarms/{id} shows.
type alarmPage struct {
	alarmRow
	Silences []silenceDoc
	History  historyPage
	First    bool
	Form     silenceForm
}

func (s *Server) getAlarmHTML(w http.ResponseWriter, r *http.Request) {
	after, limit, p := s.portion(r)
	if p != nil {
		s.fail(w, r, p)
		return
	}
	d, p := s.detail(r.Context(), r.PathValue("id"), after, limit)
	if p != nil {
		s.fail(w, r, p)
		return
	}
	doc := alarmPage{
		alarmRow: s.alarmRow(actsPage{nameOf(r), time.Now()}, d.alarmDoc), Silences: d.Silences, First: after.at.IsZero(),
		History: historyRowsOf(d.timelineDoc, d.ID), Form: silenceForm{For: "2h"},
	}
	s.renderLive(w, r, http.StatusOK, "alarm", layout{Title: short(d.Summary, 60), Nav: "/alarms", Listen: doc.First, Document: doc})
}

// entryRow is one thing that happened, in words.
type entryRow struct {
	entryDoc
	Class string // of the mark beside it
	What  string
}

// historyRowsOf words a timeline. An alarm that is raised again while it is
// raised has changed its severity, or something else that is told.
func historyRowsOf(doc timelineDoc, of string) historyPage {
	page := historyPage{Next: doc.Next, Reasons: doc.Reasons, Of: of, Rows: make([]entryRow, len(doc.Timeline))}
	was := map[string]entryDoc{} // the transition before, by alarm
	for i, e := range slices.Backward(doc.Timeline) {
		row := entryRow{entryDoc: e}
		before, known := was[e.Alarm]
		row.Class, row.What = wording(e, before, known)
		page.Rows[i] = row
		if e.Severity != "" {
			was[e.Alarm] = e
		}
	}
	return page
}

func wording(e, before entryDoc, known bool) (class, what string) {
	switch e.Kind {
	case string(libra.Cleared):
		return "cleared", "Cleared after " + libra.FormatDuration(e.At.Sub(e.Since))
	case string(libra.Raised):
		if known && before.Kind == e.Kind && before.Since.Equal(e.Since) {
			if before.Severity != e.Severity {
				return "raised " + string(e.Severity), fmt.Sprintf("Now %s, was %s", e.Severity, before.Severity)
			}
			return "raised " + string(e.Severity), "Changed, still " + string(e.Severity)
		}
		return "raised " + string(e.Severity), "Raised, " + string(e.Severity)
	case string(libra.Acknowledged):
		return "note", "Acknowledged by " + e.By
	case string(libra.Silenced):
		return "note", silenceWording(e)
	}
	return "note", "Done by " + e.By
}

func silenceWording(e entryDoc) string {
	switch sil := e.Silence; {
	case sil != nil && !sil.Until.After(e.At):
		return "Silence ended by " + e.By
	case sil != nil && sil.From.After(e.At):
		return "Maintenance planned by " + e.By
	}
	return "Silenced by " + e.By
}

// Span says when the silence of an entry holds; "" where there is none any
// more.
func (e entryRow) Span() string {
	switch sil := e.Silence; {
	case sil == nil || !sil.Until.After(e.At):
		return ""
	case sil.From.After(e.At):
		return "From " + showWhen(sil.From) + " until " + showWhen(sil.Until)
	default:
		return "Until " + showWhen(sil.Until)
	}
}

// Forms.

// nameCookie remembers how people call themselves in a form.
const nameCookie = "libra-name"

// nameOf is the name that whoever asks gave last.
func nameOf(r *http.Request) string {
	c, err := r.Cookie(nameCookie)
	if err != nil {
		return ""
	}
	name, err := url.QueryUnescape(c.Value)
	if err != nil || len(name) > maxClient {
		return ""
	}
	return name
}

// person reads a form, and takes the name in it for the client's.
func (s *Server) person(w http.ResponseWriter, r *http.Request) *problem {
	if p := readForm(w, r); p != nil {
		return p
	}
	name, p := words("name", r.PostForm.Get("name"))
	if p != nil || name == "" {
		return p
	}
	if len(name) > maxClient {
		return badRequest("name", fmt.Sprintf("name %.40q… is %d bytes long", name, len(name)), fmt.Sprintf("at most %d are taken", maxClient))
	}
	r.Header.Set("X-Libra-Client", name)
	http.SetCookie(w, &http.Cookie{
		Name: nameCookie, Value: url.QueryEscape(name), Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	return nil
}

func (s *Server) postAcknowledgeForm(w http.ResponseWriter, r *http.Request) {
	p := s.person(w, r)
	if p == nil {
		_, p = s.acknowledge(r, r.PathValue("id"), r.PostForm.Get("text"))
	}
	if p != nil {
		s.fail(w, r, p)
		return
	}
	http.Redirect(w, r, "/alarms/"+url.PathEscape(r.PathValue("id")), http.StatusSeeOther)
}

func (s *Server) postSilenceForm(w http.ResponseWriter, r *http.Request) {
	if p := s.person(w, r); p != nil {
		s.fail(w, r, p)
		return
	}
	get := r.PostForm.Get
	form := silenceForm{Alarm: get("alarm"), Target: get("target"), Scope: get("scope"), Severity: get("severity"), From: get("from"), For: get("for"), Why: get("why")}
	_, p := s.keepSilent(r, silenceAsked{
		Match: libra.Match{Alarm: form.Alarm, Target: form.Target, Scope: libra.Scope(form.Scope), Severity: libra.Severity(form.Severity)},
		From:  form.From, For: form.For, Why: form.Why,
	})
	switch {
	case p == nil:
		http.Redirect(w, r, "/alarms#silences", http.StatusSeeOther)
	case p.Status == http.StatusBadRequest && accepts(r, "text/html"):
		form.Fault = p.Detail
		s.renderAlarms(w, r, p.Status, form) // the form again, with what was typed
	default:
		s.fail(w, r, p)
	}
}

func (s *Server) postEndForm(w http.ResponseWriter, r *http.Request) {
	p := s.person(w, r)
	if p == nil {
		_, p = s.endSilence(r, r.PathValue("id"))
	}
	if p != nil {
		s.fail(w, r, p)
		return
	}
	http.Redirect(w, r, "/alarms#silences", http.StatusSeeOther)
}
