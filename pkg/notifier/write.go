package notifier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"libra/pkg/libra"
)

// Slack's limits, in characters.
// https://docs.slack.dev/reference/block-kit/blocks
const (
	headerLimit  = 150
	sectionLimit = 3000
	textLimit    = 300 // ours: a push preview shows less
)

// writer puts transitions into words.
type writer struct {
	base, runbook string
	version       string
	late          time.Duration
}

func (w writer) message(m message) *slack.WebhookMessage {
	if len(m.deliveries) > 1 {
		return w.digest(m)
	}
	return w.single(m, m.deliveries[0].Transition)
}

// single tells one transition: what, evidence, since and how long, where.
func (w writer) single(m message, t libra.Transition) *slack.WebhookMessage {
	a := t.Alarm
	text := fmt.Sprintf("[%s] %s on %s: %s", word(a), a.Target, t.Host, a.Summary)
	when := "*Since* " + local(a.Since)
	if a.State == libra.Cleared {
		text += ", down for " + lasting(a.Until.Sub(a.Since))
		when = fmt.Sprintf("*Down for* %s, %s to %s", lasting(a.Until.Sub(a.Since)), local(a.Since), local(a.Until))
	}
	blocks := []slack.Block{
		slack.NewSectionBlock(plain(a.Evidence, sectionLimit), nil, nil),
		slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, when, false, true), nil, nil),
	}
	blocks = append(blocks, w.remarks(m, t.At)...)
	blocks = append(blocks, w.buttons(a)...)
	blocks = append(blocks, w.context(a, t.Host))
	return w.assemble(m, text, capital(word(a))+": "+a.Summary, colour(a), blocks)
}

func (w writer) assemble(m message, text, header, colour string, blocks []slack.Block) *slack.WebhookMessage {
	if m.repeat {
		text += " (possible repeat)"
	}
	text = escape(text, textLimit)
	no := false
	return &slack.WebhookMessage{
		Text:        text,
		Blocks:      &slack.Blocks{BlockSet: []slack.Block{slack.NewHeaderBlock(plain(header, headerLimit))}},
		Attachments: []slack.Attachment{{Color: colour, Fallback: text, Blocks: slack.Blocks{BlockSet: blocks}}},
		UnfurlLinks: &no, UnfurlMedia: &no,
	}
}

// remarks say what the reader must know of the message itself.
func (w writer) remarks(m message, at time.Time) []slack.Block {
	var notes []slack.MixedElement
	if late := m.at.Sub(at); late >= w.late {
		notes = append(notes, plain("Told "+lasting(late)+" late: it happened "+clock(at), sectionLimit))
	}
	if m.repeat {
		notes = append(notes, plain("Possible repeat: whether an earlier attempt arrived is not known", sectionLimit))
	}
	if len(notes) == 0 {
		return nil
	}
	return []slack.Block{slack.NewContextBlock("", notes...)}
}

// buttons lead to the page and the runbook, where they can be had.
func (w writer) buttons(a libra.Alarm) []slack.Block {
	var list []slack.BlockElement
	add := func(id, label, url string) {
		list = append(list, slack.NewButtonBlockElement(id, "", plain(label, 75)).WithURL(url))
	}
	if base := strings.TrimRight(w.base, "/"); base != "" {
		if a.Scope == libra.ScopePage {
			add("report", "Report", base+"/pages/"+libra.PageID(a.Target))
		} else {
			add("alarms", "Alarms", base+"/alarms")
		}
	}
	if w.runbook != "" {
		add("runbook", "Runbook", w.runbook+"#"+anchor(a))
	}
	if len(list) == 0 {
		return nil
	}
	return []slack.Block{slack.NewActionBlock("", list...)}
}

func anchor(a libra.Alarm) string { return strings.TrimPrefix(a.Runbook, "#") }

func (w writer) context(a libra.Alarm, host string) slack.Block {
	parts := []string{a.Target, "host " + host}
	if w.version != "" {
		parts = append(parts, "Libra "+w.version)
	}
	parts = append(parts, "alarm "+a.ID)
	if w.runbook == "" && a.Runbook != "" {
		parts = append(parts, "see docs/operations.md#"+anchor(a))
	}
	return slack.NewContextBlock("", plain(strings.Join(parts, " · "), sectionLimit))
}

// digest tells many transitions in one message: what is open first, then what
// is over, each alarm with all that happened to it.
func (w writer) digest(m message) *slack.WebhookMessage {
	alarms := group(m.deliveries)
	open := 0
	worst := libra.Alarm{State: libra.Cleared}
	for _, g := range alarms {
		if g.last.State == libra.Raised {
			if open++; worst.State == libra.Cleared {
				worst = g.last // the first is the worst
			}
		}
	}
	first, last := m.deliveries[0].Transition, m.deliveries[len(m.deliveries)-1].Transition
	header := fmt.Sprintf("%d alarm messages in one: %d open, %d over", len(m.deliveries), open, len(alarms)-open)
	text := fmt.Sprintf("%s on %s, %s to %s", header, first.Host, clock(first.At), clock(last.At))
	if open > 0 {
		text += fmt.Sprintf("; worst: [%s] %s: %s", word(worst), worst.Target, worst.Summary)
	}
	blocks := sections(alarms)
	blocks = append(blocks, w.remarks(m, first.At)...)
	parts := "host " + first.Host
	if w.version != "" {
		parts += " · Libra " + w.version
	}
	blocks = append(blocks, slack.NewContextBlock("", plain(parts, sectionLimit)))
	return w.assemble(m, text, header, colour(worst), blocks)
}

// history is what happened to one alarm.
type history struct {
	last  libra.Alarm
	steps []string
}

func group(deliveries []delivery) []*history {
	byID := map[string]*history{}
	var list []*history
	for _, d := range deliveries {
		a := d.Transition.Alarm
		g := byID[a.ID]
		if g == nil {
			g = &history{}
			byID[a.ID] = g
			list = append(list, g)
		}
		g.last = a
		g.steps = append(g.steps, fmt.Sprintf("%s %s", word(a), d.Transition.At.UTC().Format("15:04:05")))
	}
	slices.SortStableFunc(list, func(a, b *history) int { return urgency(b.last) - urgency(a.last) })
	return list
}

func urgency(a libra.Alarm) int {
	if a.State == libra.Cleared {
		return -1
	}
	return slices.Index([]libra.Severity{libra.Info, libra.Warning, libra.Minor, libra.Major, libra.Critical}, a.Severity)
}

// mostListed alarms are named in a digest, the worst first.
const mostListed = 60

// mostSteps of one alarm are listed; the rest is counted.
const mostSteps = 6

func (g *history) line() string {
	steps := strings.Join(g.steps, ", ")
	if over := len(g.steps) - mostSteps; over > 0 {
		steps = fmt.Sprintf("%s, %d more, %s", strings.Join(g.steps[:mostSteps/2], ", "), over, strings.Join(g.steps[len(g.steps)-mostSteps/2:], ", "))
	}
	return escape(fmt.Sprintf("[%s] %s: %s (%s UTC)", word(g.last), g.last.Target, g.last.Summary, steps), 300)
}

// sections hold the lines, as many in each as Slack allows.
func sections(alarms []*history) []slack.Block {
	var blocks []slack.Block
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			blocks = append(blocks, slack.NewSectionBlock(slack.NewTextBlockObject(slack.PlainTextType, text.String(), false, false), nil, nil))
			text.Reset()
		}
	}
	for i, g := range alarms {
		line := g.line()
		if i == mostListed {
			line = fmt.Sprintf("and %d more alarms; libra alarms lists what is open", len(alarms)-i)
		} else if i > mostListed {
			break
		}
		if text.Len()+1+len(line) > sectionLimit {
			flush()
		}
		if text.Len() > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(line)
	}
	flush()
	return blocks
}

// plain is text in which Slack looks for nothing: no mention, no link, no
// emoji. Slack refuses an empty one.
func plain(s string, limit int) *slack.TextBlockObject {
	if s = escape(s, limit); s == "" {
		s = "-"
	}
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// colour of the bar beside the message.
func colour(a libra.Alarm) string {
	if a.State == libra.Cleared {
		return "#2eb886"
	}
	switch a.Severity {
	case libra.Critical:
		return "#a30200"
	case libra.Major:
		return "#d9480f"
	case libra.Minor, libra.Warning:
		return "#daa038"
	}
	return "#439fe0"
}
