package notifier

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"libra/pkg/libra"
)

// digest is the content about many notifications: open alarms first, then cleared ones,
// each alarm with all that happened to it.
func (w writer) digest(m message) content {
	alarms := group(m.Notifications)
	open := 0
	worst := libra.Alarm{State: libra.Cleared}
	for _, g := range alarms {
		if g.last.State == libra.Raised {
			if open++; worst.State == libra.Cleared {
				worst = g.last // the first is the worst
			}
		}
	}
	first := m.Notifications[0].Transition
	l := content{worst: worst, body: lines(alarms), context: w.about(first.Host)}
	l.header, l.text = digestHeading(m, alarms, open, worst)
	if w.base != "" {
		l.links = []link{{"alarms", "Alarms", w.base + "/alarms"}}
	}
	if shared, ok := sharedMeaning(alarms); ok {
		l.meaning, l.when = shared, &span{since: earliest(alarms)}
		if w.runbook != "" {
			l.links = append(l.links, link{"runbook", "Runbook", w.runbook + "#" + anchor(worst)})
		}
	}
	if m.Kind == news {
		l.remarks = w.lateness(m.at, first.At, m.Notifications[0].Suppressed)
	}
	return l
}

// digestHeading is the header of a digest, and the line that says it all. A few
// open alarms of a group are named in both.
func digestHeading(m message, alarms []*history, open int, worst libra.Alarm) (header, text string) {
	first, last := m.Notifications[0].Transition, m.Notifications[len(m.Notifications)-1].Transition
	span := fmt.Sprintf("on %s, %s to %s", first.Host, libra.FormatTime(first.At), libra.FormatTime(last.At))
	switch shared := sharedGroup(m.Notifications); {
	case len(alarms) == 1 && worst.State == libra.Cleared: // raised and cleared before it was sent
		a := alarms[0].last
		return capital(word(a)) + ": " + headline(a), fmt.Sprintf("%s, %d notifications in one", oneLine(a, first.Host), len(m.Notifications))
	case m.Kind == reminded:
		header = "Reminder: " + libra.Plural(open, "alarm is", "alarms are") + " still open"
		span = fmt.Sprintf("on %s, the first since %s", first.Host, libra.FormatTime(first.Alarm.Since))
	case shared != "" && open == len(alarms) && open <= mostNamed:
		named := headlines(alarms)
		return capital(word(worst)) + ": " + named, fmt.Sprintf("[%s] %s on %s", word(worst), named, first.Host)
	case shared != "" && open == len(alarms):
		header = libra.Several(open, "alarm") + " of " + shared
	default:
		header = fmt.Sprintf("%d notifications in one: %d open, %d cleared", len(m.Notifications), open, len(alarms)-open)
	}
	text = header + " " + span
	if open > 0 {
		text += fmt.Sprintf("; worst: [%s] %s: %s", word(worst), worst.Target, worst.Summary)
	}
	return header, text
}

// sharedGroup is the group that all have in common, if they do.
func sharedGroup(deliveries []notification) string {
	g := deliveries[0].Transition.Alarm.Group
	for _, d := range deliveries {
		if d.Transition.Alarm.Group != g {
			return ""
		}
	}
	_, name, found := strings.Cut(g, ":")
	if !found {
		return g
	}
	return name
}

// history is what happened to one alarm.
type history struct {
	last  libra.Alarm
	steps []string
}

func group(deliveries []notification) []*history {
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
	return a.Severity.Rank()
}

// mostNamed alarms of a group are named in the heading.
const mostNamed = 3

func headlines(alarms []*history) string {
	var list []string
	for _, g := range alarms {
		list = append(list, headline(g.last))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

func earliest(alarms []*history) time.Time {
	first := alarms[0].last.Since
	for _, g := range alarms {
		if g.last.Since.Before(first) {
			first = g.last.Since
		}
	}
	return first
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
	return fmt.Sprintf("[%s] %s: %s (%s UTC)", word(g.last), g.last.Target, g.last.Summary, steps)
}

func lines(alarms []*history) (list []string) {
	for i, g := range alarms {
		if i == mostListed {
			return append(list, "and "+libra.Several(len(alarms)-i, "more alarm")+": see libra alarms")
		}
		list = append(list, g.line())
	}
	return list
}
