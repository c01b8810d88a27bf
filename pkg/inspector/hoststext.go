package inspector

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
)

// suspended says why a page of a host whose breaker is open is not fetched.
func suspended(name string, b limit.Breaker) *libra.ReasonList {
	last, details := "no reason", b.Why.Details
	if len(b.Why.Reasons) > 0 {
		last = b.Why.Reasons[0]
	}
	why := libra.Reason{
		Code: libra.CodeHostSuspended,
		Text: fmt.Sprintf("%s gave no answer to %s in a row, and is asked for one at a time until it does; this one was not asked for", name, libra.Several(max(b.Pages, 1), "page")),
	}
	if b.Cause == libra.HostAsked {
		why = libra.Reason{
			Code:   libra.CodeHostBusy,
			Text:   fmt.Sprintf("%s asked to wait until %s; this page was not asked for", name, libra.FormatTime(b.Until)),
			Remedy: "inspect it again then",
		}
	}
	var list libra.ReasonList
	list.AddSentence(why.Text+". The last time: "+last, append([]libra.Reason{why}, details...)...)
	return &list
}

// heldOpen says that an operator does not want the host to be asked.
func heldOpen(name string, hold event.Hold) *libra.ReasonList {
	text := fmt.Sprintf("%s has suspended the inspections of %s since %s", cmp.Or(hold.By, "an operator"), name, libra.FormatTime(hold.At))
	if hold.Why != "" {
		text += ": " + hold.Why
	}
	var list libra.ReasonList
	list.AddReason(libra.Reason{Code: libra.CodeHostHeld, Text: text, Remedy: "resume them with: libra hosts release " + name})
	return &list
}

// stateOf is a breaker as the bus has it.
func stateOf(name string, b limit.Breaker, instance string) event.Host {
	s := event.Host{Host: name, State: libra.HostClosed, Inspector: instance, At: time.Now().UTC()}
	s.Since = s.At
	if b.Open() {
		s.State, s.Cause, s.Since, s.Until, s.Pages = libra.HostOpen, b.Cause, b.Since.UTC(), b.Until.UTC(), b.Pages
		s.PauseMS, s.Why = b.Pause.Milliseconds(), &b.Why
	}
	return s
}

// breakerOf is the breaker that another inspector has.
func breakerOf(s event.Host) limit.Breaker {
	if s.State != libra.HostOpen {
		return limit.Breaker{}
	}
	b := limit.Breaker{Cause: s.Cause, Since: s.Since, Until: s.Until, Pages: s.Pages, Pause: time.Duration(s.PauseMS) * time.Millisecond}
	// A pause ends, whatever the clock of the sender says.
	if most := time.Now().Add(limit.MostAsked); b.Until.After(most) {
		b.Until = most
	}
	if s.Why != nil {
		b.Why = clipped(*s.Why)
	}
	return b
}

// clipped is the first reason of a list, short enough for the bus.
func clipped(l libra.ReasonList) libra.ReasonList {
	clip := func(s string) string { return strings.ToValidUTF8(s[:min(len(s), event.MaxHostWhy)], "") }
	var short libra.ReasonList
	if len(l.Reasons) > 0 {
		short.Reasons = []string{clip(l.Reasons[0])}
	}
	if len(l.Details) > 0 {
		d := l.Details[0]
		short.Details = []libra.Reason{{Code: libra.Code(clip(string(d.Code))), Text: clip(d.Text), Remedy: clip(d.Remedy)}}
	}
	return short
}

// failed is the report of a page that was not fetched, without its reason.
func failed(page string) *libra.Report {
	return &libra.Report{
		URL: page, FinalURL: page, Started: time.Now().UTC(), Outcome: libra.Error, Totals: libra.Sum(nil), Assets: []libra.Asset{},
	}
}
