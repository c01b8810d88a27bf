package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// writeJSON prints v for programs.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeReport prints a report for people: its figures, why it is not complete, and
// what else was noticed.
func writeReport(w io.Writer, s screen, r *libra.Report, profile string) {
	writeFigures(w, s, r, profile)
	title := "Not complete:"
	switch r.Outcome {
	case libra.Complete:
		title = "Noticed:"
	case libra.Error:
		title = "Error:"
	}
	writeReasons(w, s, title, r.Reasons)
}

// writeFigures prints a report without its reasons: verdict, totals by type, every
// asset, and what the score is made of. profile names the pages that it is scored
// against.
func writeFigures(w io.Writer, s screen, r *libra.Report, profile string) {
	fmt.Fprintln(w, s.paint(bold, printable(r.URL)))
	if r.Title != "" {
		fmt.Fprintln(w, printable(r.Title))
	}
	if r.FinalURL != "" && r.FinalURL != r.URL {
		how := "redirected to"
		if r.HasReason(libra.CodeHTTPOnly) {
			how = "over http:"
		}
		fmt.Fprintf(w, "%s %s\n", how, printable(r.FinalURL))
	}
	if r.HasReason(libra.CodeQuarantined) { // whether the page answered is not known
		fmt.Fprintln(w, s.paint(red, string(r.Outcome)))
		return
	}
	if r.NoAnswer() {
		fmt.Fprintf(w, "%s, no answer\n", s.paint(red, string(r.Outcome)))
		return
	}
	broken := ""
	if n := r.BrokenAssets(); n > 0 {
		broken = " (" + s.paint(red, fmt.Sprintf("%d broken", n)) + ")"
	}
	fmt.Fprintf(w, "%s, answered %s: %s%s, %s transferred, %s decoded, inspected in %s\n",
		s.paint(outcomeColour(r.Outcome), string(r.Outcome)), statusText(r.Status), r.Bounded(libra.Several(r.Totals.Requests, "request")), broken,
		r.Weight(), r.Bounded(libra.FormatBytes(r.Totals.DecodedBytes)), libra.FormatDuration(time.Duration(r.DurationMS)*time.Millisecond))
	if r.Repeat != nil && r.Totals.Requests > 0 && (r.Repeat.Requests > 0 || !r.AtLeast()) { // "at least 0" says nothing
		fmt.Fprintf(w, "A second visit: %s, %s transferred\n", r.Bounded(libra.Several(r.Repeat.Requests, "request")), r.Bounded(libra.FormatBytes(r.Repeat.TransferBytes)))
	}
	if text := r.ScriptsText(); text != "" {
		fmt.Fprintln(w, strings.Join(wrap(text, s.width), "\n"))
	}
	verdict := score.OfReport(*r, profile)
	writeVerdict(w, s, r, verdict)
	if r.Totals.Requests > 0 {
		fmt.Fprintln(w)
		writeTotals(w, s, r)
	}
	writeAssets(w, s, r)
	if verdict != nil {
		writeTerms(w, s, verdict)
	}
}

func outcomeColour(o libra.Outcome) string {
	switch o {
	case libra.Complete:
		return green
	case libra.Partial:
		return yellow
	}
	return red
}

// statusText is an HTTP status, or "-" where none came.
func statusText(status int) string {
	if status == 0 {
		return "-"
	}
	return strconv.Itoa(status)
}

func writeReasons(w io.Writer, s screen, title string, reasons []string) {
	if len(reasons) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", s.paint(bold, title))
	for _, reason := range reasons {
		fmt.Fprintf(w, "- %s\n", printable(reason))
	}
}

func writeTotals(w io.Writer, s screen, r *libra.Report) {
	t := table{columns: []column{left("TYPE"), right("REQUESTS"), right("HEADERS").goes(1), right("ENCODED").goes(2), right("DECODED").goes(3), right("TRANSFER")}}
	line := func(name string, z libra.Size, atLeast bool) {
		cells := []cell{text(name), count(z.Requests), size(z.HeaderBytes), size(z.EncodedBytes), size(z.DecodedBytes), size(z.TransferBytes)}
		for i := range cells[1:] {
			cells[1+i].text = bounded("≥ ", atLeast, cells[1+i].text)
		}
		t.add(cells...)
	}
	for _, typ := range r.Totals.Types() {
		line(string(typ), r.Totals.ByType[typ], false)
	}
	line("total", r.Totals.Size, r.AtLeast())
	t.write(w, s)
}

// writeAssets lists what a browser requests, then what the page names and a
// browser leaves.
func writeAssets(w io.Writer, s screen, r *libra.Report) {
	asked := table{columns: []column{
		right("STATUS"), left("TYPE"), right("ENCODED").goes(1), right("DECODED").goes(2), right("TRANSFER"), left("WHY").goes(3).cutTo(16), left("URL").cutTo(24),
	}}
	named := table{columns: []column{left("FETCH"), left("TYPE").goes(1), left("WHY").cutTo(20), left("URL").cutTo(24)}}
	origin := originOf(r.FinalURL)
	for _, a := range r.Assets {
		where := text(a.URL)
		if path, ok := strings.CutPrefix(a.URL, origin); ok && a.Initiator != "" && strings.HasPrefix(path, "/") {
			where = text(path)
		}
		if a.Fetch != libra.Fetched {
			named.add(text(string(a.Fetch)), text(string(a.Type)), text(a.Reason), where)
			named.note(a.Error)
			continue
		}
		why := text(a.Reason)
		if a.Broken() && !a.OfPage() {
			why = painted("broken: "+a.Reason, red)
		}
		asked.add(painted(statusText(a.Status), statusColour(a)), text(string(a.Type)), size(a.EncodedBytes), size(a.DecodedBytes),
			size(a.TransferBytes()), why, where)
		if r.Outcome != libra.Error || !a.OfPage() { // that is a reason of the report
			asked.note(a.Error)
		}
	}
	if len(asked.rows) > 0 {
		fmt.Fprintln(w)
		asked.write(w, s)
	}
	if len(named.rows) > 0 {
		fmt.Fprintf(w, "\n%s\n", s.paint(bold, "Named by the page, not requested when it opens:"))
		named.write(w, s)
	}
}

func statusColour(a libra.Asset) string {
	switch {
	case a.Status >= 400 || a.Error != "":
		return red
	case a.Status >= 300:
		return yellow
	}
	return plain
}

// originOf is what URLs of the page's own origin begin with, up to the slash
// of the path; tables leave it out.
func originOf(page string) string {
	u, _ := weburl.Parse(page)
	return u.Origin()
}
