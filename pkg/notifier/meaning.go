package notifier

import (
	"slices"
	"strings"

	"libra/pkg/libra"
)

// meaning is what a kind of alarm means, for somebody who was just woken by it.
// The text of the alarm itself says what is wrong.
type meaning struct {
	// affected says who notices, and what of.
	affected string
	// first is what to do first; TARGET stands for the alarm's target, and UNIT
	// for its systemd unit.
	first string
	// lasted completes "… for 3 min" once the alarm has cleared.
	lasted string
}

// meanings are by the anchor of the runbook, which names the kind.
var meanings = map[string]meaning{
	"bus": {
		"Nobody can request inspections (503), and watched pages are not inspected. Pages and reports can be read; nothing that was accepted is lost.",
		"systemctl status libra-bus; if it was stopped: systemctl start libra-bus", "Down",
	},
	"web": {
		"Nobody can open Libra's pages or use its API. Inspections and notifications go on.",
		"systemctl status libra-web.socket libra-web", "Down",
	},
	"sqlite": {
		"People see an old history. Inspections go on, and the history catches up by itself.",
		"systemctl status libra-recorder; a lock: fuser -v /var/lib/libra/history/*", "Not readable",
	},
	"behind": {
		"People see an old history. Inspections go on, and the history catches up by itself.",
		"journalctl -u libra-recorder -n 50", "Behind",
	},
	"lost": {
		"People who read the history: reports, alarms or notes of that time are missing, and nobody can bring them back.",
		"libra alarms show lost, then libra alarms ack lost", "Raised",
	},
	"disk": {
		"Nobody yet. Nearly full, Libra refuses new watches; full, it accepts no requests.",
		"df -h TARGET, then du -xh --max-depth=2 TARGET | sort -h | tail", "Short of space",
	},
	"memory": {
		"Everything on this host is slow; the kernel may end processes, of Libra or others.",
		"systemd-cgtop -m -n 1", "Short of memory",
	},
	"beat-bus": {
		"Nobody, as long as the bus answers; if it does not, the alarm \"bus\" is raised, too.",
		"systemctl restart libra-bus", "Down",
	},
	"beat-web": {
		"Perhaps everybody who opens Libra's pages: then the alarm \"web\" is raised, too.",
		"systemctl status libra-web", "Down",
	},
	"beat-inspector": {
		"Inspections are slower; with no inspector left, all of them wait. No request is lost.",
		"systemctl status UNIT; if it was stopped: systemctl start UNIT", "Down",
	},
	"beat-recorder": {
		"People see an old history. Inspections go on, and the history catches up by itself.",
		"systemctl status libra-recorder; if it was stopped: systemctl start libra-recorder", "Down",
	},
	"beat-notifier": {
		"Nobody is notified of any alarm while it is down. Notifications wait and are sent late.",
		"systemctl status libra-notifier; if it was stopped: systemctl start libra-notifier", "Down",
	},
	"restarts": {
		"Nobody for long if it works after each restart; if it never starts, all who need it.",
		"journalctl -u UNIT -p err -b", "Restarting repeatedly",
	},
	"queue": {
		"People who wait for an inspection; watched pages are inspected late.",
		"systemctl status 'libra-inspector@*': do they run?", "Too slow",
	},
	"channel": {
		"People who are notified by this channel alone.",
		"libra alarms test CHANNEL prints the answer of its provider", "Raised",
	},
	"alarms-file": {
		"Nobody yet: channels, routes and thresholds are those from before the edit.",
		"libra doctor prints every fault of it", "Not in force",
	},
	"settings": {
		"What the settings in the evidence are for: they have no effect. What cannot start is down.",
		"libra doctor prints every fault of them", "Invalid",
	},
	"history": {
		"Nobody now. Reports older than those of the bus may be missing from the history.",
		"journalctl -u libra-recorder -g 'database (is|was)'", "Raised",
	},
	"upgrade": {
		"Nobody if it was rolled back: the version before works, without what the new one brings. Otherwise perhaps all.",
		"libra status: does everything work? Then libra upgrade --list", "Raised",
	},
	"quarantine": {
		"Readers of this page's report: the last good one, if there is one, gets old. Other pages are not affected.",
		"libra release TARGET requests one more inspection", "Quarantined",
	},
	"page-down": {
		"Visitors of the page.",
		"Open the page: does it answer you? Then read its report.", "Down",
	},
	"page-budget": {
		"Visitors of the page: it loads more slowly than agreed.",
		"Its report lists every file by size: what has grown?", "Over budget",
	},
	"page-missed": {
		"Readers of this page's report: whether the page works now is not known.",
		"systemctl status 'libra-inspector@*': do they run?", "Not inspected on schedule",
	},
	"page-certificate": {
		"Visitors of the page: once the certificate has expired, browsers warn them off.",
		"Renew it on the page's server, such as with certbot renew", "Close to its expiry",
	},
}

// meaningOf is the meaning of a's kind. A kind that this version does not know has
// no more than a word for how long it lasted.
func meaningOf(a libra.Alarm) meaning {
	m, ok := meanings[anchor(a)]
	if !ok {
		return meaning{lasted: "Raised"}
	}
	target := flat(a.Target, mostTarget)
	if a.Page != "" {
		target = a.Page // strangers submit URLs, and a shell would read what is in them
	}
	m.first = strings.NewReplacer("TARGET", target, "UNIT", target, "CHANNEL", channelsIn(target)).Replace(m.first)
	return m
}

// channelsIn are the channels of a target, "channel a" or "channel a channel b", for
// the command that tests one channel.
func channelsIn(target string) string {
	return strings.ReplaceAll(strings.TrimPrefix(target, "channel "), " channel ", "; libra alarms test ")
}

// mostTarget is how much of a target is in a command, in characters.
const mostTarget = 200

// sharedMeaning is the meaning that open alarms of one kind have in common; of
// several units, the commands name all.
func sharedMeaning(alarms []*history) (m meaning, ok bool) {
	first := alarms[0].last
	var units []string
	for _, g := range alarms {
		if anchor(g.last) != anchor(first) || g.last.State != libra.Raised {
			return m, false
		}
		units = append(units, g.last.Target)
	}
	slices.Sort(units)
	if first.Scope == libra.ScopeComponent {
		first.Target = strings.Join(units, " ")
	}
	return meaningOf(first), true
}

// paragraph is a text under a label.
type paragraph struct{ label, text string }

// paragraphs are who is affected and what to do first.
func (m meaning) paragraphs() (list []paragraph) {
	if m.affected != "" {
		list = append(list, paragraph{"Affected", m.affected})
	}
	if m.first != "" {
		list = append(list, paragraph{"First", m.first})
	}
	return list
}

// lastedFor says how long a cleared alarm lasted: "Over budget for 35 s".
func (m meaning) lastedFor(s span) string { return m.lasted + " for " + lasting(s.lasted) }
