package budget

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"

	"libra/pkg/libra"
)

// The JUnit XML that CI systems read
// (https://github.com/testmoapp/junitxml): one suite per page, one case per line.
type (
	suites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suites   []suite  `xml:"testsuite"`
	}
	suite struct {
		Name      string  `xml:"name,attr"`
		Tests     int     `xml:"tests,attr"`
		Failures  int     `xml:"failures,attr"`
		Errors    int     `xml:"errors,attr"`
		Skipped   int     `xml:"skipped,attr"`
		Time      string  `xml:"time,attr,omitempty"`
		Timestamp string  `xml:"timestamp,attr,omitempty"`
		Cases     []xcase `xml:"testcase"`
		Out       string  `xml:"system-out,omitempty"`
	}
	xcase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Failure *problem `xml:"failure,omitempty"`
		Error   *problem `xml:"error,omitempty"`
		Skipped *problem `xml:"skipped,omitempty"`
	}
	problem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// Checked is a report with its result.
type Checked struct {
	Report libra.Report
	Result Result
}

// WriteJUnit writes JUnit XML: a line over budget is a failure, a line that cannot
// be checked is skipped, and a page that cannot be checked is an error.
func WriteJUnit(w io.Writer, all []Checked) error {
	out := suites{}
	for _, c := range all {
		s := newSuite(c)
		out.Suites = append(out.Suites, s)
		out.Tests += s.Tests
		out.Failures += s.Failures
		out.Errors += s.Errors
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func newSuite(c Checked) suite {
	s := suite{Name: c.Report.URL, Time: strconv.FormatFloat(float64(c.Report.DurationMS)/1000, 'f', 3, 64)}
	if !c.Report.Started.IsZero() {
		s.Timestamp = c.Report.Started.UTC().Format("2006-01-02T15:04:05")
	}
	if c.Result.Unjudged != "" {
		kind := "not judged"
		if c.Report.Outcome == libra.Error {
			kind = "error"
		}
		s.Errors++
		s.Cases = append(s.Cases, xcase{Class: c.Report.URL, Name: "inspection", Error: &problem{Message: c.Result.Unjudged, Type: kind}})
	}
	for _, o := range c.Result.Lines {
		s.add(c.Result, o)
	}
	s.Out = strings.Join(c.Result.Notes, "\n")
	s.Tests = len(s.Cases)
	return s
}

func (s *suite) add(r Result, o Outcome) {
	x := xcase{Class: r.URL + " " + r.Path, Name: string(o.Kind) + " " + o.Type}
	switch {
	case o.Skipped != "":
		s.Skipped++
		x.Skipped = &problem{Message: o.Skipped}
	case o.Over > 0:
		s.Failures++
		x.Failure = &problem{
			Message: o.String(), Type: "over budget",
			Text: fmt.Sprintf("budgeted %s, actual %s, over by %s", o.exact(o.Budgeted), o.exact(o.Actual), o.exact(o.Over)),
		}
	}
	s.Cases = append(s.Cases, x)
}

// String is one line for a person: "total is 320.0 kB, 12.8 kB over its budget
// of 307.2 kB (300 KB in the file)".
func (o Outcome) String() string {
	subject := o.Type + " is "
	if o.Kind == Deltas {
		subject = o.Type + " has grown by "
	}
	if o.AtLeast {
		subject += "at least "
	}
	if o.Skipped != "" {
		return o.Type + " not judged: " + o.Skipped
	}
	actual, budgeted := o.amounts()
	if o.Kind == Deltas && o.Actual < 0 {
		subject, actual = o.Type+" has shrunk by ", o.amount(-o.Actual)
	}
	if exact, ok := strings.CutSuffix(budgeted, ")"); ok && o.Given != "" {
		budgeted = exact + "; " + o.Given + " in the file)"
	} else if o.Given != "" {
		budgeted += " (" + o.Given + " in the file)"
	}
	if o.Over > 0 {
		over := o.amount(o.Over)
		if o.AtLeast {
			over = "at least " + over
		}
		return subject + actual + ", " + over + " over its budget of " + budgeted
	}
	return subject + actual + ", within its budget of " + budgeted
}

// amounts are the figure and its limit, which read the same only if they are.
func (o Outcome) amounts() (actual, budgeted string) {
	if o.Unit == "requests" {
		return o.amount(o.Actual), o.amount(o.Budgeted)
	}
	return libra.FormatBytesBoth(o.Actual, o.Budgeted)
}

// exact is an amount to the byte.
func (o Outcome) exact(n int64) string {
	if o.Unit == "requests" {
		return o.amount(n)
	}
	return libra.Several(int(n), "byte")
}

func (o Outcome) amount(n int64) string {
	if o.Unit == "requests" {
		return libra.Several(int(n), "request")
	}
	return libra.FormatBytes(n)
}
