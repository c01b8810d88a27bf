package notifier_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

// The stages are in this order: each suppresses what all after it would
// suppress as well.
func TestOrderOfStages(t *testing.T) {
	e := openAlarm(never, func(e *notifier.Entry) { e.Now.Alarm.Cause, e.Now.Alarm.Group = "bus", "host:x" })
	silence := libra.Note{ID: "n", Kind: libra.Silenced, At: before(time.Hour), Silence: &libra.Silence{ID: "s", Match: libra.Match{Alarm: "web"}, From: before(time.Hour), Until: noon.Add(time.Hour)}}
	all := func(f rules.File, cause, group bool, list ...libra.Note) string {
		s := notifier.NewStages(f, list...)
		if cause {
			s.Open(notifier.Entry{Now: libra.Transition{ID: "x", Alarm: libra.Alarm{ID: "bus", State: libra.Raised}}})
		}
		if group {
			s.Group(e.Now.Alarm, before(time.Second))
		}
		return s.CheckAll(e, noon)
	}
	got := []string{
		all(routesTo("other"), true, true, silence), all(rules.Defaults(), true, true, silence),
		all(rules.Defaults(), false, true, silence), all(rules.Defaults(), false, true), all(rules.Defaults(), false, false),
	}
	if diff := cmp.Diff([]string{"route", "inhibit", "silence", "group", ""}, got); diff != "" {
		t.Errorf("suppressed by (-want +got):\n%s", diff)
	}
}

func raise(id, alarm string, change ...func(*libra.Alarm)) libra.Transition {
	a := libra.Alarm{ID: alarm, Severity: libra.Critical, State: libra.Raised, Since: noon}
	for _, c := range change {
		c(&a)
	}
	return libra.Transition{ID: id, At: noon, Alarm: a}
}

func cleared(id, alarm string) libra.Transition {
	return raise(id, alarm, func(a *libra.Alarm) { a.State, a.Until = libra.Cleared, noon })
}

func wantIDs(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestFilterPassesEachTransitionOnce(t *testing.T) {
	s := notifier.NewStages(rules.Defaults())
	first := []libra.Transition{raise("1", "bus"), raise("2", "web")}
	wantIDs(t, "new", s.Filter(noon, first...), "1", "2")
	s.Send(noon, first...)
	wantIDs(t, "again", s.Filter(noon, append(first, cleared("3", "web"))...), "3")
}

// A raise that comes again long after it was sent, as from a watchdog whose bus
// has lost its store, is no new one, even when a reminder is due.
func TestFilterDropsARaiseThatWasSentLongAgo(t *testing.T) {
	s := notifier.NewStages(rules.Defaults())
	e := openAlarm(same)
	s.Open(e)
	wantIDs(t, "again", s.Filter(noon, e.Now))
	if list, reminders := s.Due(noon); !reminders {
		t.Errorf("due %q, want a reminder", list)
	}
}

// A cause that comes later in a batch inhibits only what follows it.
func TestFilterInhibitsWithinABatch(t *testing.T) {
	s := notifier.NewStages(rules.Defaults())
	caused := func(a *libra.Alarm) { a.Cause = "bus" }
	wantIDs(t, "batch", s.Filter(noon, raise("1", "early", caused), raise("2", "bus"), raise("3", "late", caused)), "1", "2")
	s.Send(noon, raise("1", "early", caused), raise("2", "bus"))
	list, _ := s.Due(noon)
	wantIDs(t, "due while the cause is raised", list)
	wantIDs(t, "clear of the cause", s.Filter(noon, cleared("4", "bus")), "4")
	s.Send(noon, cleared("4", "bus"))
	list, _ = s.Due(noon.Add(4 * time.Second))
	wantIDs(t, "due while it settles", list)
	list, _ = s.Due(noon.Add(5 * time.Second))
	wantIDs(t, "due once it has settled", list, "3")
}

// Within one batch, an alarm that is cleared and raised again is two alarms.
func TestFilterRaisedAgainWithinABatch(t *testing.T) {
	s := notifier.NewStages(rules.Defaults())
	batch := []libra.Transition{raise("1", "bus"), cleared("2", "bus"), raise("3", "bus"), cleared("4", "bus"), raise("5", "bus")}
	wantIDs(t, "batch", s.Filter(noon, batch...), "1", "2", "3", "4", "5")
	s.Send(noon, batch...)
	list, _ := s.Due(noon.Add(time.Minute))
	wantIDs(t, "due", list)
	list, reminders := s.Due(noon.Add(time.Hour))
	if wantIDs(t, "due an hour later", list, "5"); !reminders {
		t.Error("the open alarm is no reminder")
	}
}

// The clear of what was suppressed for a reason is dropped; what only waited
// for its group is sent with its clear.
func TestFilterDropsClears(t *testing.T) {
	silence := libra.Note{ID: "n", Kind: libra.Silenced, At: noon, Silence: &libra.Silence{ID: "s", Match: libra.Match{Alarm: "silenced"}, From: noon, Until: noon.Add(time.Hour)}}
	s := notifier.NewStages(rules.Defaults(), silence)
	grouped := func(a *libra.Alarm) { a.Group = "host:x" }
	s.Group(libra.Alarm{Group: "host:x"}, before(time.Second))
	wantIDs(t, "raises", s.Filter(noon, raise("1", "silenced"), raise("2", "waits", grouped)))
	wantIDs(t, "clears", s.Filter(noon, cleared("3", "silenced"), cleared("4", "waits"), cleared("5", "from before")), "2", "4", "5")
}

// The state that the version before wrote is read: what it was sending is sent
// again, what was suppressed stays so, and what waited from the socket is
// sent.
func TestStateOfTheVersionBefore(t *testing.T) {
	tale(t, oneChannel+"[notify]\ndigest = 1000\n", func(t *testing.T, s *story) {
		s.end()
		if err := os.CopyFS(filepath.Join(s.cfg.Runtime, "before"), os.DirFS("testdata/state")); err != nil {
			t.Fatal(err)
		}
		s.cfg.Runtime, s.cfg.State = filepath.Join(s.cfg.Runtime, "before"), ""
		s.pass(8 * time.Second)
		s.run()
		s.pass(time.Minute)
		s.say(s.alarm("other"))
		bus := s.alarm("bus", func(a *libra.Alarm) { a.Since = s.began.Add(time.Second) })
		s.clear(bus)
		s.pass(58*time.Minute + 55*time.Second)
		s.want("+8s ops: [critical] begun on box: is down (possible repeat)",
			"+9s ops: [major] libra-web on box: number 1",
			"+10s ops: [cleared] libra-web on box: number 2, down for 7 s",
			"+1m8s ops: [critical] other on box: is down",
			"+1m9s ops: [cleared] bus on box: is up, down for 1 min 7 s",
			"+1m13s ops: [critical] web on box: is down",
			"+1h0m0s ops: [critical] silenced on box: is down")
	})
}
