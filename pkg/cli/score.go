package cli

import (
	"fmt"
	"io"
	"strings"

	"libra/pkg/inspect/score"
	"libra/pkg/libra"
)

// writeVerdict prints the score in one line, or why the page has no score.
func writeVerdict(w io.Writer, s screen, r *libra.Report, v *score.Score) {
	switch {
	case r.ErrorPage():
		fmt.Fprintf(w, "no score: the page answered %d, this is its error page\n", r.Status)
		return
	case r.Outcome == libra.Error:
		fmt.Fprintln(w, "no score: the page is an error")
		return
	case v == nil:
		fmt.Fprintln(w, "no score: only a complete report has one")
		return
	}
	fmt.Fprintf(w, "%s. %s.\n", s.paint(scoreColour(v.Score, v.AtMost), scoreText(v.Score, v.AtMost)), v.Compared())
}

func scoreText(n int, atMost bool) string {
	text := "Score " + score.Figure(n, atMost) + " of 100"
	if word := score.Words(n, atMost); word != "" {
		text += ": " + word
	}
	return text
}

// scoreColour follows Lighthouse's bands. An upper bound has no colour, unless it
// is in the lowest.
func scoreColour(n int, atMost bool) string {
	switch {
	case atMost && n >= 50:
		return plain
	case n >= 90:
		return green
	case n >= 50:
		return yellow
	}
	return red
}

// writeTerms prints what the score is made of, and the judgements beside it.
func writeTerms(w io.Writer, s screen, v *score.Score) {
	t := table{columns: []column{left("MEASURE"), right("PAGE"), right("HEAVIER"), right("P10").goes(3), right("P25").goes(1), right("P50"), right("P75").goes(2), right("P90").goes(4)}}
	for _, term := range v.Terms {
		amount := func(n float64) cell {
			if term.Unit == "bytes" {
				return size(int64(n))
			}
			return count(int(n))
		}
		cells := []cell{text(term.Metric), amount(float64(term.Value)), text(term.Share())}
		for _, p := range term.Percentiles {
			cells = append(cells, amount(p))
		}
		t.add(cells...)
	}
	heading := "Against the web (%s, %s): the share of pages that have more, and their percentiles"
	if v.AtMost {
		heading = "The web's percentiles (%s, %s), and what was fetched; scripts may fetch more"
	}
	fmt.Fprintf(w, "\n%s\n", s.paint(bold, fmt.Sprintf(heading, v.Model, v.Profile)))
	t.write(w, s)
	l, c := v.Lighthouse, v.Carbon
	atMost, atBest := "", ""
	if v.AtMost {
		atMost, atBest = "at most ", " at best"
	}
	for _, line := range []string{
		fmt.Sprintf("Lighthouse %s: %s%.2f (p10 %s, median %s)", l.Audit, atMost, l.Score, libra.FormatBytes(int64(l.P10)), libra.FormatBytes(int64(l.Median))),
		fmt.Sprintf("Carbon %s: %s%s, %s for a first visit (%s, %.3f kWh/GB, %.0f g/kWh)", c.Model, c.Rating, atBest, v.Emission(), libra.FormatBytes(c.Bytes), c.KWhPerGB, c.GramsPerKWh),
	} {
		fmt.Fprintln(w, strings.Join(wrap(line, s.width), "\n"))
	}
}
