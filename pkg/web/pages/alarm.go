package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web/api"
	"libra/pkg/web/runbook"
	"libra/pkg/web/state"
)

// alarmsPage is what /alarms shows.
type alarmsPage struct {
	actsPage
	Open     []alarmRow
	More     int          // open ones that are not listed
	Unknown  *unknownNote // nil while it is known which are open
	Silences silenceList
	History  historyPage
	First    bool // nothing was paged past
	Form     silenceForm
}

// actsPage is what the forms of an alarm are filled with.
type actsPage struct {
	Prefix string // of every link
	Name   string // of the reader, as given last
	Now    time.Time
}

// historyPage is a part of what happened.
type historyPage struct {
	Prefix  string // of every link
	Rows    []entryRow
	Next    string
	Unknown *unknownNote // nil while the list is current
	Of      string       // the alarm whose page it is on, "" for none
}

// silenceList is silences and maintenance windows.
type silenceList struct {
	Prefix  string // of every link
	List    []api.SilenceDoc
	Unknown *unknownNote // nil while the list is current
}

// alarmRow is an alarm as people see it.
type alarmRow struct {
	actsPage
	api.AlarmDoc
	Runbook string // a link, "" where the alarm names no section
	Lasted  string // once it has cleared
}

// OpenFor is how long it has been open.
func (a alarmRow) OpenFor(now time.Time) string { return libra.FormatDuration(now.Sub(a.Since)) }

// formTime writes a time that a form has sent as its field accepts it, in UTC; other
// text stays as it is. The page's script sends RFC 3339.
func formTime(text string) string {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return t.UTC().Format("2006-01-02T15:04")
}

// silenceForm is the form of a silence: what was typed, and what was wrong with
// it.
type silenceForm struct {
	Alarm, Target, Scope, Severity, From, For, Why, Fault string
}

// Scopes and Severities are the form's choices.
func (silenceForm) Scopes() []libra.Scope { return libra.Scopes() }

func (silenceForm) Severities() []libra.Severity { return libra.Severities() }

// choice is an option of a form.
type choice struct{ Value, Text string }

// spanChoices are the options for how long a silence lasts.
func spanChoices() []choice {
	return []choice{{"30m", "30 min"}, {"1h", "1 h"}, {"2h", "2 h"}, {"8h", "8 h"}, {"1d", "1 day"}, {"3d", "3 days"}, {"7d", "7 days"}, {"29d", "29 days"}}
}

// everyChoices are the options for how often a page is inspected, with the one
// that is in force.
func everyChoices(seconds int) []choice {
	list := []choice{{"30s", "30 s"}, {"1m", "1 min"}, {"5m", "5 min"}, {"15m", "15 min"}, {"1h", "1 h"}, {"6h", "6 h"}, {"24h", "1 day"}}
	now := state.ShowEvery(seconds)
	if now != "" && !slices.ContainsFunc(list, func(c choice) bool { return c.Value == now }) {
		list = append([]choice{{now, showInterval(now)}}, list...)
	}
	return list
}

// agesGrow is how often a page looks again, for the ages that it shows and to notice
// that Libra does not respond.
const agesGrow = 10 * time.Second

// unless is how often a page looks again: not at all while it shows the fault of a
// form, which another look would not have.
func unless(fault string, d time.Duration) time.Duration {
	if fault != "" {
		return 0
	}
	return d
}

// How many alarms and events one page shows.
const (
	openRows    = 50
	historyRows = 30
)

// Total counts the open alarms.
func (p alarmsPage) Total() int { return len(p.Open) + p.More }

// GetAlarms serves GET /alarms.
func (s *Pages) GetAlarms(w http.ResponseWriter, r *http.Request) {
	s.renderAlarms(w, r, http.StatusOK, silenceForm{For: "2h"})
}

func (s *Pages) renderAlarms(w http.ResponseWriter, r *http.Request, code int, form silenceForm) {
	text := r.URL.Query().Get("after")
	after, ok := state.DecodeCursor(text)
	if !ok {
		s.api.Fail(w, r, api.BadRequestOf("after", api.NoPlace(text)))
		return
	}
	doc := alarmsPage{actsPage: actsPage{api.At(r, ""), nameOf(r), time.Now()}, First: after.At.IsZero(), Form: form}
	doc.History = historyRowsOf(r, s.api.Timeline(r.Context(), "", after, min(historyRows, s.cfg.MaxList)), "")
	if doc.First {
		open := s.api.Alarms(r.Context(), libra.Raised, min(openRows, s.cfg.MaxList))
		for _, a := range open.Alarms {
			doc.Open = append(doc.Open, s.alarmRow(doc.actsPage, a))
		}
		silences := s.api.Silences()
		doc.More, doc.Unknown, doc.Silences = open.More, noteOf(open.Freshness), silenceList{doc.Prefix, silences.Silences, noteOf(silences.Freshness)}
	}
	s.renderLive(w, r, code, "alarms", layout{Title: "Alarms", Listen: doc.First && form.Fault == "", Poll: unless(form.Fault, agesGrow), Document: doc})
}

func (s *Pages) alarmRow(acts actsPage, a api.AlarmDoc) alarmRow {
	row := alarmRow{actsPage: acts, AlarmDoc: a}
	switch anchor, ok := strings.CutPrefix(a.Runbook, "#"); {
	case !ok: // it is not a section of ours
	case s.cfg.RunbookURL != "":
		row.Runbook = strings.TrimSuffix(s.cfg.RunbookURL, "#") + a.Runbook
	case book.Has(anchor):
		row.Runbook = acts.Prefix + "/alarms/" + url.PathEscape(a.ID) + "#runbook"
	default: // of another version
		row.Runbook = acts.Prefix + RunbookPath + a.Runbook
	}
	if a.State == libra.Cleared {
		row.Lasted = libra.FormatDuration(a.Until.Sub(a.Since))
	}
	return row
}

// alarmPage is what /alarms/{id} shows.
type alarmPage struct {
	alarmRow
	Unknown  *unknownNote // nil while its state is known
	Silences silenceList
	History  historyPage
	First    bool
	Form     silenceForm
	Write    boardForm
	Section  *runbook.Section // of the alarm's kind, with its values; nil for none
}

// GetAlarm serves GET /alarms/{id}.
func (s *Pages) GetAlarm(w http.ResponseWriter, r *http.Request) {
	after, limit, p := s.api.Portion(r)
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	d, p := s.api.Detail(r.Context(), r.PathValue("id"), after, limit)
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	doc := alarmPage{
		alarmRow: s.alarmRow(actsPage{api.At(r, ""), nameOf(r), time.Now()}, d.AlarmDoc), Silences: silenceList{api.At(r, ""), d.Silences, nil}, First: after.At.IsZero(),
		History: historyRowsOf(r, d.TimelineDoc, d.ID), Form: silenceForm{For: "2h"}, Write: newBoardForm(r, d.ID, ""),
	}
	if section, ok := book.Of(strings.TrimPrefix(d.Runbook, "#"), runbook.ValuesOf(d.Alarm), api.At(r, RunbookPath)); ok {
		doc.Section = &section
	}
	if since := d.StateUnknownSince; !since.IsZero() {
		doc.Unknown = &unknownNote{Since: since, Now: time.Now()}
	}
	s.renderLive(w, r, http.StatusOK, "alarm", layout{Title: api.Short(d.Summary, 60), Nav: "/alarms", Listen: doc.First, Poll: agesGrow, Document: doc})
}

// entryRow is one thing that happened, in words.
type entryRow struct {
	api.EntryDoc
	Class string // of the mark beside it
	What  string
}

// historyRowsOf words a timeline. An alarm that is raised again while it is
// raised has changed its severity, or another field that is shown.
func historyRowsOf(r *http.Request, doc api.TimelineDoc, of string) historyPage {
	page := historyPage{Prefix: api.At(r, ""), Next: doc.Next, Unknown: noteOf(doc.Freshness), Of: of, Rows: make([]entryRow, len(doc.Timeline))}
	was := map[string]api.EntryDoc{} // the transition before, by alarm
	for i, e := range slices.Backward(doc.Timeline) {
		row := entryRow{EntryDoc: e}
		before, known := was[e.Alarm]
		row.Class, row.What = wording(e, before, known)
		page.Rows[i] = row
		if e.Severity != "" {
			was[e.Alarm] = e
		}
	}
	return page
}

func wording(e, before api.EntryDoc, known bool) (class, what string) {
	switch e.Kind {
	case string(libra.Cleared):
		return "cleared", "Cleared after " + libra.FormatDuration(e.At.Sub(e.Since))
	case string(libra.Raised):
		if known && before.Kind == e.Kind && before.Since.Equal(e.Since) {
			if before.Severity != e.Severity {
				return "raised " + string(e.Severity), fmt.Sprintf("Now %s, was %s", e.Severity, before.Severity)
			}
			return "raised " + string(e.Severity), "Updated, still " + string(e.Severity)
		}
		return "raised " + string(e.Severity), "Raised, " + string(e.Severity)
	case string(libra.Acknowledged):
		return "note", "Acknowledged by " + e.By
	case string(libra.Silenced):
		return "note", silenceWording(e)
	case string(libra.Written):
		return "note", "Note by" // the template has the author, apart from it
	}
	return "note", "Action by " + e.By
}

func silenceWording(e api.EntryDoc) string {
	switch sil := e.Silence; {
	case sil != nil && !sil.Until.After(e.At):
		return "Silence ended by " + e.By
	case sil != nil && sil.From.After(e.At):
		return "Maintenance window planned by " + e.By
	}
	return "Silenced by " + e.By
}

// Written reports whether the entry is a note on the board.
func (e entryRow) Written() bool { return e.Kind == string(libra.Written) }

// Holds reports whether the entry is of a silence that had not ended then.
func (e entryRow) Holds() bool { return e.Silence != nil && e.Silence.Until.After(e.At) }

// Planned reports whether the silence of the entry begins later.
func (e entryRow) Planned() bool { return e.Silence.From.After(e.At) }

// nameCookie stores the name that a reader enters in a form.
const nameCookie = "libra-name"

// nameOf is the name that the reader gave last.
func nameOf(r *http.Request) string {
	c, err := r.Cookie(nameCookie)
	if err != nil {
		return ""
	}
	name, err := url.QueryUnescape(c.Value)
	if err != nil || len(name) > api.MaxClient {
		return ""
	}
	return name
}

// person reads a form, and takes the name in it for the client's.
func (s *Pages) person(w http.ResponseWriter, r *http.Request) *api.Problem {
	if p := api.ReadForm(w, r); p != nil {
		return p
	}
	name, p := api.Words("name", r.PostForm.Get("name"))
	if p != nil || name == "" {
		return p
	}
	if len(name) > api.MaxClient {
		return api.BadRequest("name", fmt.Sprintf("name %.40q… is %d bytes long", name, len(name)), fmt.Sprintf("must be at most %d", api.MaxClient))
	}
	r.Header.Set("X-Libra-Client", name)
	http.SetCookie(w, &http.Cookie{
		Name: nameCookie, Value: url.QueryEscape(name), Path: api.At(r, "/"), MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	return nil
}

// PostAcknowledge serves POST /alarms/{id}/acknowledge.
func (s *Pages) PostAcknowledge(w http.ResponseWriter, r *http.Request) {
	p := s.person(w, r)
	if p == nil {
		_, p = s.api.Acknowledge(r, r.PathValue("id"), r.PostForm.Get("text"))
	}
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	http.Redirect(w, r, api.At(r, "/alarms/"+url.PathEscape(r.PathValue("id"))), http.StatusSeeOther)
}

// PostSilence serves POST /silences.
func (s *Pages) PostSilence(w http.ResponseWriter, r *http.Request) {
	if p := s.person(w, r); p != nil {
		s.api.Fail(w, r, p)
		return
	}
	get := r.PostForm.Get
	form := silenceForm{Alarm: get("alarm"), Target: get("target"), Scope: get("scope"), Severity: get("severity"), From: formTime(get("from")), For: get("for"), Why: get("why")}
	_, p := s.api.CreateSilence(r, api.SilenceAsked{
		Match: libra.Match{Alarm: form.Alarm, Target: form.Target, Scope: libra.Scope(form.Scope), Severity: libra.Severity(form.Severity)},
		From:  get("from"), For: form.For, Why: form.Why,
	})
	switch {
	case p == nil:
		http.Redirect(w, r, api.At(r, "/alarms#silences"), http.StatusSeeOther)
	case p.Status == http.StatusBadRequest && api.Accepts(r, "text/html"):
		form.Fault = p.Detail
		s.renderAlarms(w, r, p.Status, form) // the form again, with what was typed
	default:
		s.api.Fail(w, r, p)
	}
}

// PostEnd serves POST /silences/{id}/end.
func (s *Pages) PostEnd(w http.ResponseWriter, r *http.Request) {
	p := s.person(w, r)
	if p == nil {
		_, p = s.api.EndSilence(r, r.PathValue("id"))
	}
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	http.Redirect(w, r, api.At(r, "/alarms#silences"), http.StatusSeeOther)
}
