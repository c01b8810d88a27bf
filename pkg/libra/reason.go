package libra

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Code names a reason for programs. Codes are kebab-case, stable, and listed in
// docs/reasons.md; a code that a program does not know is to be shown by its
// Text.
type Code string

// Reason says why something is not as it should be: why a report is not
// complete, why a request was refused, why an alarm is raised. Programs decide
// by Code; Text and Remedy are for people, and may change. The zero Reason is
// none.
type Reason struct {
	Code Code `json:"code"`
	// Text is what happened, with the values at fault, in one line.
	Text string `json:"text"`
	// Remedy is what to do about it, "" where nothing is known to help.
	Remedy string `json:"remedy,omitempty"`
}

// String joins text and remedy with a colon, or with a semicolon where the text
// has a colon of its own:
//
//	no such host "exmple.org": check the spelling
//	connection refused by [::1]:80: nothing listens there; check the port
func (r Reason) String() string {
	switch {
	case r.Remedy == "":
		return r.Text
	case strings.Contains(r.Text, ": "):
		return r.Text + "; " + r.Remedy
	}
	return r.Text + ": " + r.Remedy
}

// Error makes a Reason an error; callers find it with [ReasonOf].
func (r Reason) Error() string { return r.String() }

// Because returns a Reason without a remedy.
func Because(code Code, text string) Reason { return Reason{Code: code, Text: text} }

// WithRemedy returns r with another remedy.
func (r Reason) WithRemedy(remedy string) Reason {
	r.Remedy = remedy
	return r
}

// StatusReason is why a page is an error that answered with a status other than
// 2xx.
func StatusReason(status int) Reason {
	r := Reason{Code: CodeHTTPStatus, Text: strings.TrimSpace(fmt.Sprintf("HTTP %d %s", status, http.StatusText(status))), Remedy: "check the address and the server"}
	switch {
	case status < 400:
		r.Text, r.Remedy = r.Text+" without an address to go on to", "check the server's redirects"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		r.Remedy = "let Libra in, which sends no credentials"
	case status == http.StatusNotFound, status == http.StatusGone:
		r.Remedy = "check the address"
	case status == http.StatusTooManyRequests:
		r.Remedy = "inspect it less often"
	case status >= 500:
		r.Remedy = "check the server"
	}
	return r
}

// ReasonOf returns the reason that err is, wraps, or gives by a method
// Reason() Reason. An error that has none becomes a Reason without a code.
func ReasonOf(err error) Reason {
	if r := (Reason{}); errors.As(err, &r) {
		return r
	}
	if r := interface{ Reason() Reason }(nil); errors.As(err, &r) {
		return r.Reason()
	}
	return Reason{Text: err.Error()}
}

// ReasonList is the reasons of a document, which embeds it: as sentences for
// people, and by code.
type ReasonList struct {
	Reasons []string `json:"reasons"` // never null
	// Details are the same reasons by code, in the same order. Where one led to
	// another it follows it, without a sentence of its own. Messages of
	// versions without codes have none.
	Details []Reason `json:"reason_details,omitempty"`
}

// NoReasons is the empty list: in JSON, reasons is never null.
func NoReasons() ReasonList { return ReasonList{Reasons: []string{}} }

// AddReason adds a reason, its sentence being text and remedy.
func (l *ReasonList) AddReason(r Reason) { l.AddSentence(r.String(), r) }

// AddSentence adds one reason whose sentence says more than its parts, or that
// followed from others.
func (l *ReasonList) AddSentence(sentence string, details ...Reason) {
	l.Reasons = append(l.Reasons, oneLine(sentence))
	for _, r := range details {
		r.Text, r.Remedy = oneLine(r.Text), oneLine(r.Remedy)
		l.Details = append(l.Details, r)
	}
}

// Why returns the reasons by code; those of old messages have a text only.
func (l ReasonList) Why() []Reason {
	if len(l.Details) > 0 {
		return l.Details
	}
	list := make([]Reason, len(l.Reasons))
	for i, s := range l.Reasons {
		list[i].Text = s
	}
	return list
}

// HasReason says whether one of the reasons has one of the codes.
func (l ReasonList) HasReason(codes ...Code) bool {
	return slices.ContainsFunc(l.Details, func(r Reason) bool { return slices.Contains(codes, r.Code) })
}

// oneLine keeps what strangers' servers put into a text on one line.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
