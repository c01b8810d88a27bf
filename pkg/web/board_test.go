package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/pkg/web"
)

// noteAnswer is a note as the API lists it.
type noteAnswer struct {
	ID, Author, Text, Alarm, Page string
	At                            time.Time
}

type boardAnswer struct {
	Notes   []noteAnswer
	Next    string
	Stale   bool
	Reasons []string
}

func (h *rig) board(query string) (b boardAnswer) {
	h.t.Helper()
	h.get("/api/board"+query).into(h.t, &b)
	return b
}

// ids lists the notes from the newest to the oldest.
func (b boardAnswer) ids() (list []string) {
	for _, n := range b.Notes {
		list = append(list, n.ID)
	}
	return list
}

// write writes a note and returns the answer.
func (h *rig) write(fields map[string]string) (n noteAnswer, code int) {
	h.t.Helper()
	got := h.post("/api/board", string(mustJSON(h.t, fields)))
	if got.code/100 == 2 {
		got.into(h.t, &n)
	}
	return n, got.code
}

// recordBoard puts notes on the board into SQLite, as the recorder does.
func (h *rig) recordBoard(notes ...libra.Note) {
	h.t.Helper()
	w, err := store.Open(h.t.Context(), h.db)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := errors.Join(w.AddBoard(h.t.Context(), notes, event.Position{}), w.Close()); err != nil {
		h.t.Fatal(err)
	}
}

func boardNote(n int) libra.Note {
	return libra.Note{ID: fmt.Sprintf("note-%04d", n), Kind: libra.Written, At: noon.Add(time.Duration(n) * time.Second), By: "ann", Text: fmt.Sprint("note ", n), Alarm: "bus"}
}

// A note is durable once it is answered, and everybody sees it, beside the alarm and the
// page that it is about; it says nothing of who works on the alarm.
func TestBoard(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "bus", libra.Raised, libra.Major, 1))
	page := request(1)
	n, code := h.write(map[string]string{"text": " the new\ndisks are in ", "author": "ann", "alarm": "bus", "page": page.URL, "id": "4e1f9a6c-note"})
	want := noteAnswer{ID: "4e1f9a6c-note", Author: "ann", Text: "the new disks are in", Alarm: "bus", Page: page.Page, At: n.At}
	if code != http.StatusCreated || n != want || time.Since(n.At) > time.Minute {
		t.Errorf("written: %d %+v", code, n)
	}
	if b := h.board(""); len(b.Notes) != 1 || b.Notes[0] != want || b.Stale || b.Next != "" {
		t.Errorf("the board = %+v", b)
	}
	if a := h.alarm("bus"); a.Acknowledged != nil || len(a.Actions) != 0 || !slices.Equal(a.kinds(), []string{"written", "raised"}) || a.Timeline[0].Text != want.Text || a.Timeline[0].By != "ann" {
		t.Errorf("the alarm = %+v", a)
	}
	other, _ := h.write(map[string]string{"text": "lunch"})
	if other.Author != "127.0.0.1" || len(other.ID) != 24 || !other.At.After(n.At) {
		t.Errorf("without an author and an id: %+v", other)
	}
	for query, want := range map[string][]string{
		"":                             {other.ID, n.ID},
		"?alarm=bus":                   {n.ID},
		"?page=" + page.Page:           {n.ID},
		"?alarm=web":                   nil,
		"?limit=1":                     {other.ID},
		"?alarm=bus&page=" + page.Page: {n.ID},
	} {
		if got := h.board(query).ids(); !slices.Equal(got, want) {
			t.Errorf("/api/board%s = %v, want %v", query, got, want)
		}
	}
	if got := h.board("?limit=1&after=" + h.board("?limit=1").Next); !slices.Equal(got.ids(), []string{n.ID}) || got.Next != "" {
		t.Errorf("the second part = %+v", got)
	}
	for path, want := range map[string]string{
		"/board":           "the new disks are in",
		"/board?alarm=bus": "Notes about the alarm",
		"/alarms/bus":      "Note by <bdi>ann</bdi>",
		"/alarms":          "the new disks are in",
		"/":                `href="/board"`,
		"/board?after=" + h.board("?limit=1").Next: "Older notes",
	} {
		if got := h.get(path, "Accept", "text/html"); got.code != 200 || !strings.Contains(got.body, want) {
			t.Errorf("%s = %d, lacks %s:\n%s", path, got.code, want, got.body)
		}
	}
	h.publish(reported(page, noon))
	h.awaitListed(reported(page, noon))
	if got := h.get("/pages/"+page.Page, "Accept", "text/html").body; !strings.Contains(got, "the new disks are in") || strings.Contains(got, "lunch") {
		t.Errorf("the page:\n%s", got)
	}
}

// What is sent again is the same note: after a lost answer, at the same time, of another
// process, and although the bus has lost it meanwhile.
func TestNoteIsWrittenOnce(t *testing.T) {
	t.Parallel()
	h := started(t)
	fields := map[string]string{"text": "the new disks are in", "id": "once-0001"}
	first, code := h.write(fields)
	if code != http.StatusCreated {
		t.Fatalf("written: %d", code)
	}
	same := func(when string) {
		t.Helper()
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if n, code := h.write(fields); code != http.StatusOK || n != first {
					t.Errorf("%s: %d %+v, want %+v", when, code, n, first)
				}
			})
		}
		wg.Wait()
		if got := h.board("").ids(); !slices.Equal(got, []string{first.ID}) {
			t.Errorf("%s: the board has %v", when, got)
		}
	}
	same("at once")
	h.restart()
	same("after a restart")
	h.recordBoard(libra.Note{ID: first.ID, Kind: libra.Written, At: first.At, By: first.Author, Text: first.Text})
	h.bus.Lose(event.BoardStream)
	h.bus.Streams()
	h.restart()
	same("after the bus has lost it")
	fields["text"] = "something else"
	if got := h.post("/api/board", string(mustJSON(t, fields))); got.code != http.StatusConflict || !strings.Contains(got.body, "give another id") {
		t.Errorf("another text with its id: %d %s", got.code, got.body)
	}
	fresh := map[string]string{"text": "twice at once", "id": "once-0002"}
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[int]int{}
	for range 8 {
		wg.Go(func() {
			_, code := h.write(fresh)
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
		})
	}
	wg.Wait()
	if len(h.board("").Notes) != 2 || codes[201] != 1 || codes[200] != 7 {
		t.Errorf("eight at once: %v, %d notes", codes, len(h.board("").Notes))
	}
}

// restart replaces libra-web by another one.
func (h *rig) restart() {
	h.t.Helper()
	if err := h.stop(); err != nil {
		h.t.Fatal(err)
	}
	h.start(web.Config{}).ready()
	bustest.Await(h.t, "the board to be read", func() bool { return !h.board("").Stale })
}

// The board is SQLite's and memory's in one order, in whatever portions, also when memory
// has no room for it.
func TestBoardInOrder(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	const all = 300
	var notes []libra.Note
	var want []string
	for n := range all {
		note := boardNote(n)
		note.At, note.Text = noon.Add(time.Duration(n/3)*time.Second), strings.Repeat("x", 900) // three at a time
		notes = append(notes, note)
		want = append([]string{note.ID}, want...)
	}
	h.recordBoard(notes[:250]...)
	writer := h.bus.Connect("web")
	for _, n := range notes[200:] {
		if _, err := writer.WriteBoard(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	cfg := web.Config{}
	cfg.Bounds.Board = 100_000
	h.start(cfg).ready()
	bustest.Await(t, "the newest note", func() bool { b := h.board("?limit=1"); return !b.Stale && slices.Equal(b.ids(), want[:1]) })
	for _, limit := range []int{7, 100, 500} {
		var got []string
		next := ""
		for {
			b := h.board(fmt.Sprintf("?limit=%d&after=%s", limit, next))
			got = append(got, b.ids()...)
			if next = b.Next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d at a time (-want +got):\n%s", limit, diff)
		}
	}
}

// While the bus is away a note is refused, and nothing of it stays; what is known is read,
// also without SQLite.
func TestBoardWithoutBus(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.recordBoard(boardNote(1))
	h.start(impatient).ready()
	if _, code := h.write(map[string]string{"text": "before"}); code != http.StatusCreated {
		t.Fatalf("with a bus: %d", code)
	}
	bustest.Await(t, "both notes in memory", func() bool { b := h.board(""); return len(b.Notes) == 2 && !b.Stale })
	if err := os.Remove(h.db); err != nil {
		t.Fatal(err)
	}
	h.bus.Down()
	bustest.Await(t, "web to see it", func() bool { return strings.Contains(h.get("/up").body, "degraded: bus") })
	got := h.post("/api/board", `{"text":"meanwhile","id":"note-meanwhile"}`)
	if got.code != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "the note was not stored") {
		t.Errorf("without a bus: %d, Retry-After %q, %s", got.code, got.header.Get("Retry-After"), got.body)
	}
	if page := h.form("/board", url.Values{"text": {"meanwhile"}}); page.code != http.StatusServiceUnavailable {
		t.Errorf("the form: %d", page.code)
	}
	if b := h.board(""); len(b.Notes) != 2 || b.Notes[0].Text != "before" || !b.Stale {
		t.Errorf("the board = %+v", b)
	}
	h.bus.Up()
	bustest.Await(t, "the note to be stored", func() bool {
		_, code := h.write(map[string]string{"text": "meanwhile", "id": "note-meanwhile"})
		return code/100 == 2
	})
	if b := h.board(""); len(b.Notes) != 3 {
		t.Errorf("then the board = %+v", b)
	}
}

// Invalid notes are refused with the value and the remedy.
func TestBoardRefuses(t *testing.T) {
	t.Parallel()
	h := started(t)
	for _, c := range []struct{ body, want string }{
		{`{"author":"ann"}`, `key \"text\" must be a string`},
		{`{"text":" \n "}`, "the text is empty: must have 1 to 1000 characters"},
		{`{"text":"` + strings.Repeat("界", 1001) + `"}`, "has 1001 characters: must have at most 1000"},
		{`{"text":"bell \u0007"}`, "has the control character U+0007: leave it out"},
		{`{"text":"x","author":"a\u001bnn"}`, "has the control character U+001B"},
		{`{"text":"x","author":"` + strings.Repeat("a", 201) + `"}`, "is 201 bytes long: must be at most 200"},
		{`{"text":"x","alarm":"no alarm"}`, `invalid alarm \"no alarm\": must be the id of an alarm`},
		{`{"text":"x","alarm":"` + strings.Repeat("a", 201) + `"}`, "must be the id of an alarm"},
		{`{"text":"x","page":"12"}`, `invalid page \"12\": must be the id of a page, or its URL`},
		{`{"text":"x","page":"javascript:alert(1)"}`, "must be the id of a page, or its URL"},
		{`{"text":"x","id":"short"}`, `invalid id \"short\": must be 8 to 64`},
		{`{"text":"x","id":"with space "}`, "must be 8 to 64"},
		{`{"text":"x","txt":"y"}`, `key \"txt\" is unknown`},
	} {
		if got := h.post("/api/board", c.body); got.code != 400 || !strings.Contains(got.body, c.want) || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.80s = %d %s, want %s", c.body, got.code, got.body, c.want)
		}
	}
	for _, query := range []string{"?limit=0", "?after=x", "?alarm=A", "?page=x"} {
		if got := h.get("/api/board" + query); got.code != 400 {
			t.Errorf("/api/board%s = %d %s", query, got.code, got.body)
		}
	}
	if _, code := h.write(map[string]string{"text": strings.Repeat("😀", libra.MostNoteText)}); code != 201 {
		t.Errorf("1,000 emoji: %d", code)
	}
	if b := h.board(""); len(b.Notes) != 1 {
		t.Errorf("the board = %+v", b)
	}
}

// Without scripts: a form that is sent twice writes one note, and comes back with what was
// typed where that is refused. What people write is text.
func TestBoardForm(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "bus", libra.Raised, libra.Major, 1))
	page := h.get("/board", "Accept", "text/html").body
	_, rest, _ := strings.Cut(page, `name="token" value="`)
	token, _, ok := strings.Cut(rest, `"`)
	if !ok || !strings.Contains(page, `<option value="bus">bus does not answer</option>`) {
		t.Fatalf("the form:\n%s", page)
	}
	evil := `</bdi><img src=x onerror=alert(1)> "quoted" ` + "\u202e" + `gnp.exe`
	fields := url.Values{"token": {token}, "name": {"Änn"}, "text": {evil}, "alarm": {""}, "page": {""}}
	for range 2 {
		if got := h.form("/board", fields); got.code != http.StatusSeeOther || got.header.Get("Location") != "/board" || !strings.Contains(got.header.Get("Set-Cookie"), "libra-name=") {
			t.Errorf("sent: %d %v", got.code, got.header)
		}
	}
	if b := h.board(""); len(b.Notes) != 1 || b.Notes[0].Text != evil || b.Notes[0].Author != "Änn" {
		t.Errorf("sent twice: %+v", b)
	}
	fields.Set("text", "something else") // after "back"
	fields.Set("alarm", "bus")
	fields.Set("of", "alarm")
	if got := h.form("/board", fields); got.code != http.StatusSeeOther || got.header.Get("Location") != "/alarms/bus#history" || len(h.board("").Notes) != 2 {
		t.Errorf("another text: %d %v, %+v", got.code, got.header, h.board(""))
	}
	fields.Set("page", "nowhere")
	if got := h.form("/board", fields); got.code != 400 || !strings.Contains(got.body, "something else</textarea>") || !strings.Contains(got.body, "invalid page &#34;nowhere&#34;") {
		t.Errorf("refused: %d\n%s", got.code, got.body)
	}
	for _, path := range []string{"/board", "/alarms"} {
		if body := h.get(path, "Accept", "text/html").body; strings.Contains(body, "<img") || !strings.Contains(body, "&lt;/bdi&gt;&lt;img") {
			t.Errorf("%s:\n%s", path, body)
		}
	}
}

// Open pages get a note as an event: all, and those of the page that it is about.
func TestBoardEvents(t *testing.T) {
	t.Parallel()
	h := started(t)
	page := request(1)
	all, one, other := h.events("/api/events"), h.events("/api/events?page="+page.Page), h.events("/api/events?page="+request(2).Page)
	for _, events := range []<-chan string{all, one, other} {
		next(t, events)
	}
	h.write(map[string]string{"text": "lunch", "author": "ann"})
	h.write(map[string]string{"text": "the new disks are in", "page": page.Page})
	if e := next(t, all); !strings.HasPrefix(e, `note {"id":"`) || !strings.Contains(e, `"kind":"written"`) || !strings.Contains(e, `"text":"lunch"`) {
		t.Errorf("event = %q", e)
	}
	for _, events := range []<-chan string{all, one} {
		if e := next(t, events); !strings.Contains(e, "the new disks are in") {
			t.Errorf("event = %q", e)
		}
	}
	if len(other) > 0 {
		t.Errorf("another page's stream has %q", <-other)
	}
}

// Somebody writes a note on one open page, and another open page shows it, with the alarm
// that it is about; without scripts the form works, too.
func TestBrowserBoard(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "disk", libra.Raised, libra.Minor, 1))
	writer, reader, alarm := browser(t), browser(t), browser(t)
	err := errors.Join(chromedp.Do(reader, chromedp.Navigate(h.base+"/board")), chromedp.Do(alarm, chromedp.Navigate(h.base+"/alarms/disk")),
		chromedp.Do(writer, chromedp.Navigate(h.base+"/board"), chromedp.SendKeys("textarea", "the new disks are in"), chromedp.SendKeys("input[name=name]", "Ann"),
			chromedp.SendKeys("input[name=alarm]", "disk"), chromedp.Submit("textarea"), chromedp.WaitVisible("[data-live=board] li")))
	if err != nil {
		t.Fatal(err)
	}
	for ctx, region := range map[context.Context]string{reader: "board", alarm: "history"} {
		bustest.Await(t, "the note on the other page", func() bool {
			text, err := chromedp.Run(ctx, chromedp.Text("[data-live="+region+"]"))
			return err == nil && strings.Contains(text, "the new disks are in") && strings.Contains(text, "Ann")
		})
	}
	off := emulation.SetScriptExecutionDisabledParams{Value: true}
	if _, err := chromedp.Call(writer, emulation.SetScriptExecutionDisabled, off); err != nil {
		t.Fatal(err)
	}
	err = chromedp.Do(writer, chromedp.Navigate(h.base+"/board"), chromedp.Focus("textarea"), chromedp.KeyEvent("no scripts here"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	if err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the note of a browser without scripts", func() bool {
		b := h.board("")
		return len(b.Notes) == 2 && b.Notes[0].Text == "no scripts here" && b.Notes[0].Author == "Ann"
	})
	bustest.Await(t, "it on the other page", func() bool {
		text, err := chromedp.Run(reader, chromedp.Text("[data-live=board]"))
		return err == nil && strings.Contains(text, "no scripts here")
	})
}
