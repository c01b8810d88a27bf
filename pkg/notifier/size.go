package notifier

import (
	"slices"
	"strings"

	"libra/pkg/libra"
)

// cutLimit is how much of each text remains in a message that is cut.
const cutLimit = 200

// smaller is what may be sent in place of a message that its provider refuses:
// two messages, of the alarms of each half, or of the transitions of each half
// where there is but one; or the one transition there is with its texts cut; or,
// where that was refused for the reason why, a notice without them. Nil where the
// provider refuses that, too: it refuses everything then.
func (m message) smaller(why string) []message {
	n := len(m.Notifications)
	part := func(list []notification) message {
		next := m
		next.Notifications = list
		return next
	}
	switch alarms := m.alarms(); {
	case n == 0, m.Refused != "":
		return nil
	case n == 1 && m.Cut:
		next := part(m.Notifications)
		next.Refused = flat(why, maxRefusedReason)
		return []message{next}
	case n == 1:
		next := part(m.Notifications)
		next.Cut = true
		return []message{next}
	case len(alarms) == 1:
		return []message{part(m.Notifications[:n/2]), part(m.Notifications[n/2:])}
	default:
		var first, second []notification // each in order
		for _, d := range m.Notifications {
			if slices.Index(alarms, d.Transition.Alarm.ID) < (len(alarms)+1)/2 {
				first = append(first, d)
			} else {
				second = append(second, d)
			}
		}
		return []message{part(first), part(second)}
	}
}

// alarms lists the alarms that m is about, each once, in order.
func (m message) alarms() (ids []string) {
	seen := map[string]bool{}
	for _, d := range m.Notifications {
		if id := d.Transition.Alarm.ID; !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// cut is m with short texts, if it is to have them. What is remembered keeps
// the whole ones.
func (m message) cut() message {
	if !m.Cut {
		return m
	}
	m.Notifications = slices.Clone(m.Notifications)
	for i := range m.Notifications {
		a := &m.Notifications[i].Transition.Alarm
		*a = shortened(*a)
	}
	return m
}

func shortened(a libra.Alarm) libra.Alarm {
	a.Target, a.Summary, a.Evidence = flat(a.Target, cutLimit), flat(a.Summary, cutLimit), flat(a.Evidence, cutLimit)
	return a
}

// tooLarge says whether an answer means that less of it would be taken.
func tooLarge(answer string) bool {
	answer = strings.ToLower(answer)
	return slices.ContainsFunc([]string{
		"msg_too_long", "msg_blocks_too_long", "too_long", "too long", "too large", "exceeds the max", "exceeds max", "exceeds size",
	}, func(s string) bool { return strings.Contains(answer, s) })
}
