// Package score rates the size of a page, by published formulas only. Every score
// names its model and shows its terms, so that a reader can recompute it.
//
// There are three scores:
//
//   - The Teledrin score: the share of the web that is heavier than this page.
//   - Lighthouse's total-byte-weight score, for comparison with it.
//   - Carbon by the Sustainable Web Design model, version 4.
//
// All take transfer sizes (headers and encoded bodies of what a browser
// fetches). KB is 1024 bytes wherever HTTP Archive or Lighthouse is the
// source: both divide by 1024 before they print "KB". GB is 1e9 bytes in the
// carbon model, as in its source.
//
// A report that is partial or an error has no score: its figures are a lower
// bound, and a page would look lighter for having been unreachable, or for its
// error page. The score of the last complete report remains.
package score

import (
	"fmt"
	"math"
	"strconv"

	"libra/pkg/libra"
)

// Model names the percentiles behind the Teledrin score: HTTP Archive, 2025.
const Model = "ha2025-v1"

// Profiles that have percentiles of their own.
const (
	Desktop = "desktop"
	Mobile  = "mobile"
)

// kb is HTTP Archive's kilobyte: its reports are queried with "/ 1024".
const kb = 1024

// Score is every score of one page.
type Score struct {
	Model   string `json:"model"`
	Profile string `json:"profile"` // desktop or mobile
	// Score is the Teledrin score, 0 to 100: the share of the web, in percent,
	// that is heavier than this page, rounded to the nearest whole.
	Score int `json:"score"`
	// AtMost says that the page may weigh more than what was compared
	// ([libra.Report.AtLeast]). All scores are upper bounds then, the terms have
	// no Heavier, and Verdict is "" unless it is the lowest.
	AtMost bool `json:"at_most,omitempty"`
	// Verdict is [Verdict]; people read [Words].
	Verdict string `json:"verdict"`
	// Terms are the rows of HTTP Archive's percentiles. The first, "total", is the
	// Teledrin score before rounding; the others say where the bytes come from and
	// are no part of it.
	Terms      []Term     `json:"terms"`
	Lighthouse Lighthouse `json:"lighthouse"`
	Carbon     Carbon     `json:"carbon"`
}

// Term compares one figure of the page with the web's.
type Term struct {
	Metric      string     `json:"metric"` // total, requests, script, image, stylesheet, document
	Unit        string     `json:"unit"`   // "bytes" or "requests"
	Value       int64      `json:"value"`
	Heavier     *float64   `json:"heavier"`     // percent of pages that have more, 0.1 to 99.9; null if not known
	Percentiles [5]float64 `json:"percentiles"` // p10, p25, p50, p75, p90, in Unit
}

// percents are the percentiles of a row, as shares of pages that have more.
var percents = [5]float64{90, 75, 50, 25, 10}

// row is one line of the model: kilobytes, or requests.
type row struct {
	metric          string
	unit            string
	desktop, mobile [5]float64
}

// rows is ha2025-v1 (https://httparchive.org/reports/page-weight, 2025).
var rows = []row{
	{"total", "bytes", [5]float64{607, 1275, 2412, 4570, 9179}, [5]float64{516, 1127, 2164, 4119, 8337}},
	{"requests", "requests", [5]float64{27, 46, 77, 122, 185}, [5]float64{25, 42, 72, 116, 179}},
	{"script", "bytes", [5]float64{106, 303, 708, 1291, 2003}, [5]float64{89, 270, 646, 1233, 1910}},
	{"image", "bytes", [5]float64{74, 333, 1058, 2896, 6856}, [5]float64{56, 256, 911, 2617, 6288}},
	{"stylesheet", "bytes", [5]float64{10, 38, 83, 161, 274}, [5]float64{7, 34, 79, 156, 268}},
	{"document", "bytes", [5]float64{6, 14, 35, 78, 152}, [5]float64{6, 14, 33, 76, 151}},
}

// OfReport returns the score of a report, nil if the report is not sound
// ([libra.Report.Sound]) or its profile has no percentiles.
func OfReport(r libra.Report, profile string) *Score {
	if !r.Sound() {
		return nil
	}
	s, err := Of(r.Totals, profile)
	if err != nil {
		return nil
	}
	if r.AtLeast() {
		s.bound()
	}
	return &s
}

// bound makes the scores upper bounds.
func (s *Score) bound() {
	s.AtMost = true
	if s.Score >= fair {
		s.Verdict = ""
	}
	for i := range s.Terms {
		s.Terms[i].Heavier = nil
	}
}

// Of returns the score of t for profile, "desktop" or "mobile".
func Of(t libra.Totals, profile string) (Score, error) {
	if profile != Desktop && profile != Mobile {
		return Score{}, fmt.Errorf("no percentiles for profile %q: must be %q or %q", profile, Desktop, Mobile)
	}
	s := Score{
		Model: Model, Profile: profile,
		Lighthouse: lighthouse(t.TransferBytes),
		Carbon:     carbon(t.TransferBytes),
	}
	for _, r := range rows {
		s.Terms = append(s.Terms, r.term(t, profile))
	}
	s.Score = int(math.Round(*s.Terms[0].Heavier))
	s.Verdict = Verdict(s.Score)
	return s, nil
}

func (r row) term(t libra.Totals, profile string) Term {
	term := Term{Metric: r.metric, Unit: r.unit, Percentiles: r.desktop}
	if profile == Mobile {
		term.Percentiles = r.mobile
	}
	switch r.metric {
	case "requests":
		term.Value = int64(t.Requests)
	case "total":
		term.Value = t.TransferBytes
	default:
		term.Value = t.ByType[libra.ResourceType(r.metric)].TransferBytes
	}
	if r.unit == "bytes" {
		for i := range term.Percentiles {
			term.Percentiles[i] *= kb
		}
	}
	share := heavier(float64(term.Value), term.Percentiles)
	term.Heavier = &share
	return term
}

// Share is Heavier for people, "–" if it is not known.
func (t Term) Share() string {
	if t.Heavier == nil {
		return "–"
	}
	return Percent(*t.Heavier)
}

// heavier is the percentage of pages above v: linear in ln(v) between the
// percentiles, extrapolated outside them, and clamped: it is never 0 or 100, because
// the percentiles end before the lightest and the heaviest page of the web.
func heavier(v float64, p [5]float64) float64 {
	if v <= 0 {
		return most
	}
	i := 0
	for i < len(p)-2 && v > p[i+1] {
		i++
	}
	slope := (percents[i+1] - percents[i]) / math.Log(p[i+1]/p[i])
	return min(max(percents[i]+slope*math.Log(v/p[i]), least), most)
}

// Lighthouse's bands: from good on, from fair on, and below.
const good, fair = 90, 50

// Words is a score of 0 to 100 in a word for people, in Lighthouse's bands. Pages
// and the command line show it. A score that is only an upper bound has one in the
// lowest band alone.
func Words(score int, atMost bool) string {
	switch {
	case score < fair:
		return "Heavy"
	case atMost:
		return ""
	case score >= good:
		return "Excellent"
	}
	return "Fair"
}

// Figure is a score for people: "54", or "at most 54".
func Figure(score int, atMost bool) string {
	if atMost {
		return "at most " + strconv.Itoa(score)
	}
	return strconv.Itoa(score)
}

// Percent writes a share of pages, in percent.
func Percent(share float64) string {
	return strconv.FormatFloat(min(max(share, least), most), 'f', 1, 64) + " %"
}

// FormatGrams writes an amount of CO2: "0.333 g", "less than 0.001 g".
func FormatGrams(g float64) string {
	if g < 0.0005 {
		return "less than 0.001 g"
	}
	return strconv.FormatFloat(g, 'f', 3, 64) + " g"
}

// Emission is the CO2 of a first visit for people: "about 0.333 g", or "at least
// 0.333 g"; a lower bound below a thousandth of a gram has six digits.
func (s Score) Emission() string {
	g := s.Carbon.Grams
	switch {
	case !s.AtMost && g < 0.0005:
		return FormatGrams(g)
	case !s.AtMost:
		return "about " + FormatGrams(g)
	case g < 0.0005:
		return "at least " + strconv.FormatFloat(g, 'f', 6, 64) + " g"
	}
	return "at least " + FormatGrams(g)
}

// least and most are the shares of pages that are said.
const least, most = 0.1, 99.9

// Compared is the Teledrin score in a sentence: "Lighter than 53.8 % of the web's
// desktop pages"; of a page heavier than nearly all, "Heavier than 99.9 % of …".
func (s Score) Compared() string {
	if s.AtMost {
		return "Not compared with the web's " + s.Profile + " pages, because its scripts were not executed and may fetch more"
	}
	share := *s.Terms[0].Heavier
	if share <= least {
		return "Heavier than " + Percent(most) + " of the web's " + s.Profile + " pages"
	}
	return "Lighter than " + Percent(share) + " of the web's " + s.Profile + " pages"
}

// Verdict is a score of 0 to 100 in the words that JSON documents have as
// "verdict", in Lighthouse's bands. docs/inspection.md has the table.
func Verdict(score int) string {
	switch {
	case score >= good:
		return "A for effort."
	case score >= fair:
		return "Could be better."
	}
	return "Not great."
}
