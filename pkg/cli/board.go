package cli

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// noteAnswer is a note on the board as the appliance lists it.
type noteAnswer struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
	Alarm  string    `json:"alarm"`
	Page   string    `json:"page"`
}

func (r *runner) boardCommand() *cli.Command {
	return &cli.Command{
		Name:  "board",
		Usage: "list the notes on the board, write one",
		Description: `The board is for everyone: what people do and find out, newest first.

   libra board
   libra board --alarm disk
   libra board --limit 100 --json | jq -r '.notes[].text'
   libra board add "the new disks are in"
   libra board add --alarm disk "the new disks are in"

What --json prints under "next" goes to --after for what was before. Exit codes:
0 done, 1 notes may be missing, 2 no appliance.`,
		Flags: applianceFlags(append([]cli.Flag{
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "list at most `N` notes"},
			&cli.StringFlag{Name: "after", Usage: "continue the list at `NEXT` of an earlier answer"},
		}, linkFlags("list notes about")...)...),
		Action:      r.board,
		Subcommands: []*cli.Command{r.addNoteCommand()},
	}
}

// linkFlags are the flags of what a note is about.
func linkFlags(verb string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "alarm", Usage: verb + " the alarm with this `ID`"},
		&cli.StringFlag{Name: "page", Usage: verb + " the `PAGE` with this id or URL"},
	}
}

func (r *runner) board(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	if c.Int("limit") < 1 {
		return fail("invalid --limit %d: must be 1 or more", c.Int("limit"))
	}
	query := url.Values{"limit": {strconv.Itoa(c.Int("limit"))}}
	for _, name := range []string{"after", "alarm", "page"} {
		if v := c.String(name); v != "" {
			query.Set(name, v)
		}
	}
	var list struct {
		Notes []noteAnswer `json:"notes"`
		Next  string       `json:"next"`
		freshness
	}
	printed, err := r.call(c, "list notes", http.MethodGet, "/api/board?"+query.Encode(), nil, &list)
	if err != nil {
		return err
	}
	if !printed {
		r.writeUnknown(&list.freshness)
		r.writeNotes(list.Notes, list.Stale)
		if list.Next != "" {
			fmt.Fprintf(r.out, "\nmore: libra board%s --after %s\n", printable(linkWords(c)), printable(list.Next))
		}
	}
	return cmp.Or(err, list.unknown())
}

// linkWords are the flags that say what the notes are about.
func linkWords(c *cli.Context) string {
	var b strings.Builder
	for _, name := range []string{"alarm", "page"} {
		if v := c.String(name); v != "" {
			fmt.Fprintf(&b, " --%s %s", name, v)
		}
	}
	return b.String()
}

func (r *runner) writeNotes(notes []noteAnswer, stale bool) {
	if len(notes) == 0 && stale {
		fmt.Fprintln(r.out, "no note is known")
		return
	}
	if len(notes) == 0 {
		fmt.Fprintln(r.out, "no notes")
		return
	}
	t := table{columns: []column{
		left("TIME"), left("AUTHOR").cutTo(12), left("ABOUT").goes(1).goesBelow("about").cutTo(16), left("TEXT").goes(2).goesBelow("").cutTo(24),
	}}
	for _, n := range notes {
		about := strings.TrimSpace(n.Alarm + " " + n.Page)
		t.add(dateCell(n.At), text(n.Author), text(orDash(about)), text(n.Text))
	}
	t.write(r.out, r.screen)
}

func (r *runner) addNoteCommand() *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "write a note on the board",
		ArgsUsage: "TEXT",
		Description: `   libra board add "the new disks are in"
   libra board add --alarm disk --client ann "the new disks are in"
   libra board add --page https://example.org/ "it is moved tonight"

The author is the client. A note is on every open page at once, and in the
history of the alarm that it is about. It cannot be changed.

Exit codes: 0 written, 2 bad input or no appliance.`,
		Flags:  applianceFlags(linkFlags("write about")...),
		Action: r.addNote,
	}
}

// noteAgain is after what time a note is sent again, with the same id: it is written once,
// also where only the answer was lost.
const noteAgain = time.Second

func (r *runner) addNote(c *cli.Context) error {
	words, err := only(c, "TEXT")
	if err != nil {
		return err
	}
	send := map[string]string{"text": words, "id": rand.Text()}
	for _, name := range []string{"alarm", "page"} {
		if v := c.String(name); v != "" {
			send[name] = v
		}
	}
	var n noteAnswer
	write := func() (bool, error) { return r.call(c, "write the note", http.MethodPost, "/api/board", send, &n) }
	printed, err := write()
	if f := (*fault)(nil); errors.As(err, &f) && f.passing {
		select {
		case <-c.Context.Done():
		case <-time.After(noteAgain):
			printed, err = write()
		}
	}
	if printed || err != nil {
		return err
	}
	fmt.Fprintln(r.out, printable(fmt.Sprintf("written by %s, %s: %s", n.Author, moment(n.At), n.Text)))
	return nil
}
