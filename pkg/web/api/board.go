package api

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"libra/pkg/libra"
	"libra/pkg/web/state"
	"libra/pkg/weburl"
)

// BoardDoc is what GET /api/board answers.
type BoardDoc struct {
	Notes []BoardNoteDoc `json:"notes"` // never null; newest first
	// Next is the cursor of the next part; "" at the end.
	Next string `json:"next"`
	state.Freshness
}

// BoardNoteDoc is a note on the board.
type BoardNoteDoc struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
	Alarm  string    `json:"alarm,omitempty"` // the id of the alarm it is about
	Page   string    `json:"page,omitempty"`  // the id of the page it is about
}

func boardNote(n libra.Note) BoardNoteDoc {
	return BoardNoteDoc{ID: n.ID, At: n.At, Author: n.By, Text: n.Text, Alarm: n.Alarm, Page: n.Page}
}

// Board lists the notes about an alarm and a page, "" is any, from after a place on. Memory
// has the newest, and SQLite all of them but for the last moments.
func (s *API) Board(ctx context.Context, alarm, page string, after state.Cursor, limit int) BoardDoc {
	list, all := s.state.Board.Before(alarm, page, after, limit+1)
	doc := BoardDoc{Notes: []BoardNoteDoc{}, Freshness: s.state.FreshBoard(all)}
	if !all {
		end, refused := s.reading(ctx)
		if refused == nil {
			recorded, err := s.state.ReadBoard(ctx, alarm, page, after, limit+1)
			if list = append(recorded, list...); state.Unreadable(err) {
				s.state.WithoutHistory(&doc.Freshness, "this is what is in memory")
			}
		} else {
			doc.TooManyRead("this is what is in memory")
		}
		end()
	}
	slices.SortFunc(list, func(a, b libra.Note) int { return placeOf(b).Compare(placeOf(a)) })
	list = slices.CompactFunc(list, func(a, b libra.Note) bool { return a.ID == b.ID })
	if len(list) > limit {
		list = list[:limit]
		doc.Next = placeOf(list[limit-1]).String()
	}
	for _, n := range list {
		doc.Notes = append(doc.Notes, boardNote(n))
	}
	return doc
}

// NewestNotes lists the notes about a page that memory has, newest first, and whether there
// may be more: a page is read far more often than the board, and must not need SQLite.
func (s *API) NewestNotes(page string, limit int) (list []BoardNoteDoc, more bool) {
	notes, all := s.state.Board.Before("", page, state.Cursor{}, limit+1)
	if more = len(notes) > limit || !all; len(notes) > limit {
		notes = notes[:limit]
	}
	for _, n := range notes {
		list = append(list, boardNote(n))
	}
	return list, more
}

func placeOf(n libra.Note) state.Cursor { return state.Cursor{At: n.At, ID: n.ID} }

// GetBoard serves GET /api/board.
func (s *API) GetBoard(w http.ResponseWriter, r *http.Request) {
	after, limit, p := s.Portion(r)
	var alarm, page string
	if p == nil {
		alarm, page, p = BoardLinks(r.URL.Query().Get("alarm"), r.URL.Query().Get("page"))
	}
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.Patience)
	defer cancel()
	w.Header().Set("Cache-Control", "no-cache")
	writeTagged(w, r, s.Board(ctx, alarm, page, after, limit))
}

// NoteAsked is a note on the board as it is asked for, by a program or with a form.
type NoteAsked struct {
	Text   string
	Author string // "" is the client of the request
	Alarm  string // the id of an alarm, "" for none
	Page   string // the id of a page or its URL, "" for none
	// ID recognizes a repeat; "" for one that is not to be recognized.
	ID string
}

const noteExample = `{"text": "the new disks are in", "author": "ann"}`

// PostBoard serves POST /api/board: 201 for a note that is stored now, 200 for a repeat.
func (s *API) PostBoard(w http.ResponseWriter, r *http.Request) {
	var asked NoteAsked
	p := readFields(w, r, "text", noteExample, map[string]any{
		"text": &asked.Text, "author": &asked.Author, "alarm": &asked.Alarm, "page": &asked.Page, "id": &asked.ID,
	})
	if p == nil {
		var n libra.Note
		var repeat bool
		if n, repeat, p = s.WriteNote(r, asked); p == nil {
			code := http.StatusCreated
			if repeat {
				code = http.StatusOK
			}
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, code, boardNote(n))
			return
		}
	}
	s.Fail(w, r, p)
}

// WriteNote writes a note on the board. Without a problem it is durable; repeat says that it
// was before.
func (s *API) WriteNote(r *http.Request, asked NoteAsked) (n libra.Note, repeat bool, p *Problem) {
	if n, p = s.boardNoteOf(r, asked); p != nil {
		return n, false, p
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	stored, err := libra.Note{}, error(libra.ErrNotFound)
	if asked.ID != "" {
		stored, err = s.state.BoardNote(ctx, n.ID)
	}
	if err != nil { // it is new, or SQLite cannot be read and the bus may know it
		n.At = s.state.Board.NextTime(time.Now().UTC())
		p, err = s.store(ctx, r, func(ctx context.Context) (err error) {
			stored, err = s.conn.WriteBoard(ctx, n)
			return err
		})
	}
	switch {
	case p != nil:
		return n, false, p
	case err != nil:
		s.log.Warn("board note refused", "note", n.ID, "by", n.By, "err", err)
		return n, false, notStored("the note", err)
	case stored.Text != n.Text || stored.Alarm != n.Alarm || stored.Page != n.Page:
		return n, false, NewProblem(ProblemURN+"note-exists", "Another note has this id", http.StatusConflict, libra.Reason{
			Code: libra.CodeInvalidParameter, Text: fmt.Sprintf("note %q was written at %s, with another text or link", n.ID, libra.FormatTime(stored.At)), Remedy: "give another id, or leave it out",
		}).of(About{ID: n.ID, At: stored.At})
	}
	s.state.OnBoard(stored)
	repeat = !stored.At.Equal(n.At)
	if !repeat {
		s.log.Info("written on the board", "note", n.ID, "by", n.By, "alarm", n.Alarm, "page", n.Page)
	}
	return stored, repeat, nil
}

// boardNoteOf checks a note that is asked for. It has no time yet.
func (s *API) boardNoteOf(r *http.Request, asked NoteAsked) (n libra.Note, p *Problem) {
	n = libra.Note{ID: asked.ID, Kind: libra.Written}
	if n.By, p = s.author(r, asked.Author); p != nil {
		return n, p
	}
	if n.Text, p = noteText(asked.Text); p != nil {
		return n, p
	}
	if n.Alarm, n.Page, p = BoardLinks(asked.Alarm, asked.Page); p != nil {
		return n, p
	}
	switch {
	case n.ID == "":
		n.ID = requestID(time.Now())
	case !noteID.MatchString(n.ID):
		return n, BadRequest("id", fmt.Sprintf("invalid id %q", Short(n.ID, 80)), "must be 8 to 64 letters, digits, - and _, such as a UUID, or left out")
	}
	return n, nil
}

var noteID = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// FormID is the id of a note that a form asks for, which was made with a token: that of a
// repeat where nothing else was typed.
func FormID(token string, asked NoteAsked) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{token, asked.Text, asked.Alarm, asked.Page}, "\x00")))
	return sortable.EncodeToString(sum[:15])
}

// FormToken is the token of a form.
func FormToken() string { return requestID(time.Now()) }

// author is the name that a request gives, or that of its client.
func (s *API) author(r *http.Request, name string) (string, *Problem) {
	if name = strings.TrimSpace(name); name == "" {
		var p *Problem
		if name, p = s.whoSent(r); p != nil {
			return "", p
		}
	}
	if len(name) > MaxClient {
		return "", BadRequest("author", fmt.Sprintf("author %q is %d bytes long", Short(name, 40), len(name)), fmt.Sprintf("must be at most %d", MaxClient))
	}
	return name, plain("author", name)
}

// noteText is a text on one line, as Words has it.
func noteText(text string) (string, *Problem) {
	text = strings.Join(strings.Fields(text), " ")
	n := utf8.RuneCountInString(text)
	switch {
	case n == 0:
		return "", BadRequest("text", "the text is empty", "must have 1 to 1000 characters")
	case n > libra.MostNoteText:
		return "", BadRequest("text", fmt.Sprintf("the text %q has %d characters", Short(text, 40), n), fmt.Sprintf("must have at most %d", libra.MostNoteText))
	}
	return text, plain("text", text)
}

// plain refuses a text with a control character, or that is not UTF-8.
func plain(key, text string) *Problem {
	if !utf8.ValidString(text) {
		return BadRequest(key, fmt.Sprintf("the %s %q is not UTF-8", key, Short(text, 40)), "send it in UTF-8")
	}
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return BadRequest(key, fmt.Sprintf("the %s %q has the control character %U", key, Short(text, 40), r), "leave it out")
	}
	return nil
}

// BoardLinks checks what a note is about: the id of an alarm, and the id of a page or its
// URL, of which it returns the id. "" stands for nothing. That there is such an alarm or page is not
// checked: a note outlives both.
func BoardLinks(alarm, page string) (alarmID, pageID string, p *Problem) {
	alarm, page = strings.TrimSpace(alarm), strings.TrimSpace(page)
	if alarm != "" && !alarmRef.MatchString(alarm) {
		return "", "", BadRequest("alarm", fmt.Sprintf("invalid alarm %q", Short(alarm, 80)), "must be the id of an alarm, such as disk or beat.recorder")
	}
	if page == "" || state.IsPageID(page) {
		return alarm, page, nil
	}
	u, err := weburl.Parse(page)
	if err != nil {
		return "", "", BadRequest("page", fmt.Sprintf("invalid page %q", Short(page, 80)), "must be the id of a page, or its URL, such as https://example.org/")
	}
	return alarm, libra.PageID(u.String()), nil
}

var alarmRef = regexp.MustCompile(`^[a-z0-9._-]{1,200}$`)
