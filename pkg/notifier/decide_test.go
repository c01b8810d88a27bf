package notifier_test

import (
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/notifier"
)

// The whole of what is told, withheld and reminded of.
func TestDecide(t *testing.T) {
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	at := func(d time.Duration) *time.Time { x := ago(d); return &x }
	raised := &time.Time{}
	silence := &libra.Silence{By: "ann", Why: "moving house", Until: now.Add(time.Hour)}
	entry := func(told string, word time.Duration, severity libra.Severity) notifier.Entry {
		return notifier.Entry{
			Now:  libra.Transition{ID: "b", Alarm: libra.Alarm{ID: "web", Severity: severity, Cause: "bus"}},
			Told: told, Word: ago(word),
		}
	}
	fresh := entry("", 0, libra.Major)
	routed := func(c notifier.Circumstances) notifier.Circumstances {
		c.Now, c.Routed = now, true
		return c
	}
	type c = notifier.Circumstances
	for _, tt := range []struct {
		name    string
		e       notifier.Entry
		c       c
		verdict string
		why     string
	}{
		{"raised", fresh, routed(c{}), "tell", ""},
		{"routed elsewhere", fresh, c{Now: now}, "withhold", "it went to other channels"},
		{"silenced", fresh, routed(c{Silence: silence}), "withhold", "it was silenced by ann until 3 May 13:00:00 UTC: moving house"},
		{"acknowledged before it was told", fresh, routed(c{Acked: true}), "tell", ""},
		{"explained", fresh, routed(c{Cause: raised}), "withhold", "it was explained by the alarm bus"},
		{"explained until just now", fresh, routed(c{Cause: at(4999 * time.Millisecond)}), "withhold", "it was explained by the alarm bus"},
		{"explained until a while ago", fresh, routed(c{Cause: at(5 * time.Second)}), "tell", ""},
		{"second of a group", fresh, routed(c{Group: ago(9 * time.Second)}), "withhold", ""},
		{"late of a group", fresh, routed(c{Group: ago(10 * time.Second)}), "tell", ""},

		{"worse", entry("a", 0, libra.Critical), routed(c{}), "tell", ""},
		{"worse, routed elsewhere", entry("a", 0, libra.Critical), c{Now: now}, "tell", ""},
		{"worse, silenced", entry("a", 0, libra.Critical), routed(c{Silence: silence}), "withhold", "it was silenced by ann until 3 May 13:00:00 UTC: moving house"},
		{"worse, explained meanwhile", entry("a", 0, libra.Critical), routed(c{Cause: raised}), "tell", ""},
		{"worse, group", entry("a", 0, libra.Critical), routed(c{Group: ago(time.Second)}), "tell", ""},

		{"told just now", entry("b", 0, libra.Critical), routed(c{}), "nothing", ""},
		{"critical, 1 h ago", entry("b", time.Hour, libra.Critical), routed(c{}), "remind", ""},
		{"major, 1 h ago", entry("b", time.Hour, libra.Major), routed(c{}), "nothing", ""},
		{"major, 4 h ago", entry("b", 4*time.Hour, libra.Major), routed(c{}), "remind", ""},
		{"minor, a day ago", entry("b", 24*time.Hour, libra.Minor), routed(c{}), "remind", ""},
		{"info, a month ago", entry("b", 720*time.Hour, libra.Info), routed(c{}), "nothing", ""},
		{"acknowledged", entry("b", time.Hour, libra.Critical), routed(c{Acked: true}), "nothing", ""},
		{"reminder silenced", entry("b", time.Hour, libra.Critical), routed(c{Silence: silence}), "nothing", ""},
		{"reminder explained", entry("b", time.Hour, libra.Critical), routed(c{Cause: raised}), "nothing", ""},
		{"reminder routed elsewhere", entry("b", time.Hour, libra.Critical), c{Now: now}, "nothing", ""},
	} {
		if verdict, why := notifier.Verdict(tt.e, tt.c); verdict != tt.verdict || why != tt.why {
			t.Errorf("%s: %s (%s), want %s (%s)", tt.name, verdict, why, tt.verdict, tt.why)
		}
	}
}
