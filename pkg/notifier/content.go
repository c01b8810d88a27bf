package notifier

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"libra/pkg/libra"
)

// content is the text of a message, before it has a provider's form. Nothing in
// it is escaped.
type content struct {
	text    string // one line that says it all: a push preview, a subject
	header  string
	worst   libra.Alarm // for the colour; State Cleared when nothing is open
	body    []string    // paragraphs
	when    *span       // since, or from when to when
	meaning meaning     // of what is open; lasted of what has cleared
	remarks []string    // on the message itself
	links   []link
	context string
}

// span is when it was.
type span struct {
	since, until time.Time // until is zero while it lasts
	lasted       time.Duration
}

type link struct{ id, label, url string }

// writer puts transitions into words.
type writer struct {
	base, runbook string
	version       string
	late          func() time.Duration
}

func newWriter(cfg Config, p *policy) writer {
	base, runbook := strings.TrimRight(cfg.BaseURL, "/"), cfg.RunbookURL
	if runbook == "" && base != "" {
		runbook = base + "/runbook" // libra-web serves it
	}
	return writer{base: base, runbook: runbook, version: cfg.Version, late: func() time.Duration { return p.notify().Late }}
}

func (w writer) content(m message) content {
	var l content
	switch {
	case m.Kind == trial:
		return w.trial(m)
	case m.Refused != "":
		l = w.notice(m)
	case len(m.Notifications) == 1:
		l = w.single(m, m.Notifications[0])
	default:
		l = w.digest(m)
	}
	if m.Cut && m.Refused == "" {
		l.remarks = append(l.remarks, "Shortened, because this channel refused the full text. Full text: libra alarms show "+m.Notifications[0].Transition.Alarm.ID)
	}
	if m.Repeat {
		l.text += " (possible repeat)"
		l.remarks = append(l.remarks, "Possible repeat: an earlier attempt may have arrived")
	}
	return l
}

// single is the content about one notification: summary, evidence, since when and
// how long, target and host.
func (w writer) single(m message, n notification) content {
	t := n.Transition
	a := t.Alarm
	l := content{
		text:   oneLine(a, t.Host),
		header: capital(word(a)) + ": " + headline(a),
		worst:  a, body: []string{a.Evidence}, when: spanOf(a), meaning: meaningOf(a), context: w.context(a, t.Host),
	}
	switch {
	case a.State == libra.Cleared:
		l.meaning.affected, l.meaning.first = "", ""
	case m.Kind == reminded:
		open := lasting(m.at.Sub(a.Since))
		l.text += ", still open after " + open
		l.header = "Still open: " + headline(a)
		l.remarks = append(l.remarks, "Reminder: open for "+open+", last notification at "+libra.FormatTime(n.LastSent)+". To stop reminders, acknowledge it: libra alarms ack "+a.ID)
	}
	if a.Flapping && a.State == libra.Raised {
		if !strings.HasSuffix(a.Summary, libra.FlappingNote) { // as the watchdog's do
			l.text += libra.FlappingNote
		}
		l.remarks = append(l.remarks, "Flapping: it comes and goes, and stays raised until it is calm")
	}
	if n.Inhibits > 0 {
		l.remarks = append(l.remarks, fmt.Sprintf("It explains %s, suppressed because of it", libra.Several(n.Inhibits, "other alarm")))
	}
	if m.Kind == news {
		l.remarks = append(l.remarks, w.lateness(m.at, t.At, n.Suppressed)...)
	}
	l.links = w.links(a)
	return l
}

// oneLine says it all in one line.
func oneLine(a libra.Alarm, host string) string {
	text := fmt.Sprintf("[%s] %s on %s: %s", word(a), a.Target, host, a.Summary)
	if a.State == libra.Cleared {
		text += ", " + lower(meaningOf(a).lastedFor(*spanOf(a)))
	}
	return text
}

func spanOf(a libra.Alarm) *span {
	if a.State == libra.Cleared {
		return &span{a.Since, a.Until, a.Until.Sub(a.Since)}
	}
	return &span{since: a.Since}
}

// about names the host and this version of Libra.
func (w writer) about(host string) string {
	if w.version == "" {
		return "host " + host
	}
	return "host " + host + " · Libra " + w.version
}

// notice is sent in place of a notification whose texts the provider refuses. None
// of them is in it, not even the alarm's id: what is refused may be in each.
func (w writer) notice(m message) content {
	t := m.Notifications[0].Transition
	what := "An alarm was raised"
	switch {
	case m.Kind == reminded:
		what = "An alarm is still open"
	case t.Alarm.State == libra.Cleared:
		what = "An alarm has cleared"
	}
	l := content{
		text:   fmt.Sprintf("[%s] %s on %s. This channel refused the text about it", word(t.Alarm), what, t.Host),
		header: capital(word(t.Alarm)) + ": " + lower(what),
		worst:  t.Alarm, when: spanOf(t.Alarm), meaning: meaning{lasted: "Raised"},
		body:    []string{"This channel refused the text about it. \"libra alarms\" and the page of alarms show which alarm it is."},
		context: w.about(t.Host),
	}
	if w.base != "" {
		l.links = []link{{"alarms", "Alarms", w.base + "/alarms"}}
	}
	return l
}

// lateness is the remark of a late message: how late it is, and why.
func (w writer) lateness(now, at time.Time, held string) []string {
	late := now.Sub(at)
	switch {
	case held != "" && late >= time.Second:
		return []string{"Sent " + lasting(late) + " late, because " + held}
	case late >= w.late():
		return []string{"Sent " + lasting(late) + " late: it happened " + libra.FormatTime(at)}
	}
	return nil
}

// links lead to the page and the runbook, where Libra has their addresses.
func (w writer) links(a libra.Alarm) (links []link) {
	if base := w.base; base != "" {
		links = append(links, link{"alarm", "Alarm", base + "/alarms/" + url.PathEscape(a.ID)})
		switch {
		case a.Page != "":
			links = append(links, link{"report", "Report", base + "/pages/" + a.Page})
		case a.Scope == libra.ScopePage:
			links = append(links, link{"report", "Report", base + "/pages/" + libra.PageID(a.Target)})
		}
	}
	if w.runbook != "" {
		links = append(links, link{"runbook", "Runbook", w.runbook + "#" + anchor(a)})
	}
	return links
}

func anchor(a libra.Alarm) string { return strings.TrimPrefix(a.Runbook, "#") }

func (w writer) context(a libra.Alarm, host string) string {
	parts := []string{a.Target, "host " + host}
	if w.version != "" {
		parts = append(parts, "Libra "+w.version)
	}
	parts = append(parts, "alarm "+a.ID)
	if w.runbook == "" && a.Runbook != "" {
		parts = append(parts, "see docs/operations.md#"+anchor(a))
	}
	return strings.Join(parts, " · ")
}

// trial is what "libra alarms test" sends.
func (w writer) trial(m message) content {
	host := m.Notifications[0].Transition.Host
	text := "[test] Libra on " + host + ": this channel works; this is no alarm"
	return content{
		text: text, header: "Test message", worst: libra.Alarm{State: libra.Cleared},
		body:    []string{"Libra was asked to test this channel. Alarms will arrive here. This is no alarm."},
		context: w.about(host),
	}
}

// headline is the summary, behind the address where the alarm is about a page: the
// summaries of those are all alike, and name none. The others name their target.
func headline(a libra.Alarm) string {
	if a.Scope != libra.ScopePage {
		return a.Summary
	}
	target := a.Target
	for _, scheme := range []string{"https://", "http://"} {
		target = strings.TrimPrefix(target, scheme)
	}
	target = strings.TrimSuffix(target, "/")
	if target == "" {
		return a.Summary
	}
	return flat(target, headlineTarget) + ": " + a.Summary
}

// headlineTarget is how much of a target a headline shows, in characters: the
// summary must fit beside it.
const headlineTarget = 70

// plain is the content without markup. Its first line is content.text.
func (l content) plain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", flat(l.text, textLimit))
	for _, p := range l.body {
		if p != "" {
			fmt.Fprintf(&b, "\n%s\n", flat(p, sectionLimit))
		}
	}
	if w := l.when; w != nil && w.until.IsZero() {
		fmt.Fprintf(&b, "\nSince %s\n", libra.FormatTime(w.since))
	} else if w != nil {
		fmt.Fprintf(&b, "\n%s, %s to %s\n", l.meaning.lastedFor(*w), libra.FormatTime(w.since), libra.FormatTime(w.until))
	}
	for _, p := range l.meaning.paragraphs() {
		fmt.Fprintf(&b, "\n%s: %s\n", p.label, flat(p.text, sectionLimit))
	}
	for _, r := range l.remarks {
		fmt.Fprintf(&b, "\n%s\n", flat(r, sectionLimit))
	}
	if len(l.links) > 0 {
		b.WriteByte('\n')
	}
	for _, k := range l.links {
		fmt.Fprintf(&b, "%s: %s\n", k.label, k.url)
	}
	fmt.Fprintf(&b, "\n%s\n", flat(l.context, sectionLimit))
	return b.String()
}
