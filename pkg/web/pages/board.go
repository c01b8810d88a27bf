package pages

import (
	"net/http"
	"net/url"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web/api"
	"libra/pkg/web/state"
)

// boardPage is what /board shows.
type boardPage struct {
	Notes       noteList
	First       bool   // nothing was paged past
	Alarm, Page string // that the notes are about; "" is any
	Name        string // of the page
	Form        boardForm
}

// About reports whether the page shows only notes about something.
func (p boardPage) About() bool { return p.Alarm != "" || p.Page != "" }

// Query is that of the part of this page from after a place on.
func (p boardPage) Query(after string) string {
	q := url.Values{}
	for name, value := range map[string]string{"alarm": p.Alarm, "page": p.Page, "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

// noteList is a part of the board.
type noteList struct {
	Prefix  string // of every link
	List    []noteRow
	Next    string
	More    bool         // there may be more, which are on the board
	Unknown *unknownNote // nil while the list is current
	Of      string       // the page on which it is, "" for none
}

// noteRow is a note as people see it.
type noteRow struct {
	api.BoardNoteDoc
	Name string // of the page that it is about
}

// boardForm is the form of a note: what was typed, and what was wrong with it.
type boardForm struct {
	actsPage
	Token             string // recognizes a repeat
	Of                string // "alarm" or "page", where the form is on the page of one; else ""
	About             string // its id
	Text, Alarm, Page string
	Fault             string
	Open              []api.AlarmDoc // to choose from
}

func newBoardForm(r *http.Request, alarm, page string) boardForm {
	form := boardForm{actsPage: actsPage{api.At(r, ""), nameOf(r), time.Now()}, Token: api.FormToken()}
	switch {
	case alarm != "":
		form.Of, form.About = "alarm", alarm
	case page != "":
		form.Of, form.About = "page", page
	}
	return form
}

// How many notes one page shows: the board, and the page of what they are about.
const (
	boardRows = 50
	fewNotes  = 5
)

// GetBoard serves GET /board.
func (s *Pages) GetBoard(w http.ResponseWriter, r *http.Request) {
	s.renderBoard(w, r, http.StatusOK, newBoardForm(r, "", ""))
}

func (s *Pages) renderBoard(w http.ResponseWriter, r *http.Request, code int, form boardForm) {
	q := r.URL.Query()
	after, ok := state.DecodeCursor(q.Get("after"))
	if !ok {
		s.api.Fail(w, r, api.BadRequestOf("after", api.NoPlace(q.Get("after"))))
		return
	}
	alarm, page, p := api.BoardLinks(q.Get("alarm"), q.Get("page"))
	if p != nil {
		s.api.Fail(w, r, p)
		return
	}
	doc := boardPage{First: after.At.IsZero(), Alarm: alarm, Page: page, Name: s.pageName(page), Form: form}
	list := s.api.Board(r.Context(), alarm, page, after, min(boardRows, s.cfg.MaxList))
	doc.Notes = noteList{Prefix: api.At(r, ""), List: s.noteRows(list.Notes), Next: list.Next, Unknown: noteOf(list.Freshness)}
	if doc.First && !doc.About() {
		doc.Form.Open = s.api.Alarms(r.Context(), libra.Raised, min(openRows, s.cfg.MaxList)).Alarms
	}
	s.renderLive(w, r, code, "board", layout{Title: "Board", Nav: "/board", Listen: doc.First && form.Fault == "", Poll: unless(form.Fault, agesGrow), Document: doc})
}

// notesOf is the newest notes about a page.
func (s *Pages) notesOf(r *http.Request, page string) noteList {
	notes, more := s.api.NewestNotes(page, fewNotes)
	return noteList{Prefix: api.At(r, ""), List: s.noteRows(notes), More: more, Of: page}
}

func (s *Pages) noteRows(notes []api.BoardNoteDoc) (rows []noteRow) {
	for _, n := range notes {
		rows = append(rows, noteRow{n, s.pageName(n.Page)})
	}
	return rows
}

// pageName is the address of a page, short; its id where memory does not have it.
func (s *Pages) pageName(id string) string {
	if v, known := s.state.Memory.Page(id); known && v.URL != "" {
		return api.Short(shortURL(v.URL), 60)
	}
	return id
}

// PostBoard serves POST /board.
func (s *Pages) PostBoard(w http.ResponseWriter, r *http.Request) {
	if p := s.person(w, r); p != nil {
		s.api.Fail(w, r, p)
		return
	}
	get := r.PostForm.Get
	asked := api.NoteAsked{Text: get("text"), Alarm: get("alarm"), Page: get("page")}
	if token := get("token"); token != "" {
		asked.ID = api.FormID(token, asked)
	}
	n, _, p := s.api.WriteNote(r, asked)
	switch {
	case p == nil:
		to := "/board"
		switch {
		case get("of") == "alarm" && n.Alarm != "":
			to = "/alarms/" + url.PathEscape(n.Alarm) + "#history"
		case get("of") == "page" && n.Page != "":
			to = "/pages/" + n.Page + "#board"
		}
		http.Redirect(w, r, api.At(r, to), http.StatusSeeOther)
	case p.Status == http.StatusBadRequest && api.Accepts(r, "text/html"):
		form := newBoardForm(r, "", "")
		form.Name, form.Text, form.Alarm, form.Page, form.Fault = get("name"), asked.Text, asked.Alarm, asked.Page, p.Detail
		s.renderBoard(w, r, p.Status, form) // the form again, with what was typed
	default:
		s.api.Fail(w, r, p)
	}
}
