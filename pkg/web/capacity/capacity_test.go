package capacity_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/store"
	"libra/pkg/web/capacity"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// box is a Libra whose figures are known: each second each of two inspectors ends one
// inspection, with two in progress, and so on.
type box struct {
	tracker *capacity.Tracker
	at      time.Time
	queue   bus.Queue
	base    int64             // microseconds of processor that each uses in a second without inspections
	waiting counts            // counters of libra-bus
	slots   int64             // of each inspector, in place of its own; 0 for those
	down    string            // the instance of the inspector that is down, or "all"
	starts  map[string]int    // by instance, how often it was started again
	counted map[string]counts // by component/instance
}

type counts map[string]int64

func newBox() *box {
	return &box{tracker: capacity.NewTracker(), base: 10_000, at: noon, starts: map[string]int{}, counted: map[string]counts{}, queue: bus.Queue{Most: 1_000_000_000}}
}

// instances are what each counts in a second, and slots and the like, which stay.
var instances = []struct {
	component, instance string
	perSecond, stays    counts
}{
	{component.Web, "1", counts{"requests_submitted": 1, "busy_us": 10_000, "cpu_us": 20_000, "published": 1, "publishing_us": 4_000}, nil},
	{component.Bus, "1", counts{"cpu_us": 60_000, "published": 1, "publishing_us": 4_000}, nil},
	{component.Inspector, "1", counts{"reports_published": 1, "busy_us": 2_000_000, "cpu_us": 100_000, "published": 1, "publishing_us": 200_000, "publishing_any_us": 100_000}, counts{"slots": 8}},
	{component.Inspector, "2", counts{"reports_published": 1, "busy_us": 2_000_000, "cpu_us": 100_000, "published": 1, "publishing_us": 200_000, "publishing_any_us": 100_000}, counts{"slots": 12}},
	{component.Recorder, "1", counts{"reports_recorded": 2, "busy_us": 1_000, "cpu_us": 20_000, "history_grown_bytes": 10_000}, counts{"slots": 1, "prune_at_percent": 80}},
	{component.Notifier, "1", counts{}, counts{"slots": 3}},
}

// goes lets time pass in steps of a sample; working is how much is done of what is
// counted in a second.
func (b *box) goes(d time.Duration, working int64) {
	for end := b.at.Add(d); !b.at.After(end); b.at = b.at.Add(capacity.Every) {
		var readings []capacity.Reading
		for _, i := range instances {
			key := i.component + "/" + i.instance
			if b.counted[key] == nil {
				b.counted[key] = counts{}
			}
			all := counts{}
			for name, n := range i.perSecond {
				b.counted[key][name] += n * working * int64(capacity.Every/time.Second)
				all[name] = b.counted[key][name]
			}
			if b.at.After(noon) {
				b.counted[key]["base"] += b.base * int64(capacity.Every/time.Second)
			}
			all["cpu_us"] += b.counted[key]["base"]
			for name, n := range i.stays {
				all[name] = n
			}
			for name, n := range b.waiting {
				if i.component == component.Bus {
					all[name] = n
				}
			}
			if b.slots > 0 && i.component == component.Inspector {
				all["slots"] = b.slots
			}
			readings = append(readings, capacity.Reading{
				Component: i.component, Instance: i.instance, Started: noon.Add(time.Duration(b.starts[key]) * time.Second),
				Up: i.component != component.Inspector || b.down != i.instance && b.down != "all", Counters: all,
			})
		}
		b.tracker.Take(b.at, readings, b.queue)
	}
}

func (b *box) doc(k capacity.Known) capacity.Doc {
	k.Now, k.Cores = b.at, 2
	return b.tracker.Doc(k)
}

func near(got *float64, want float64) bool {
	return got != nil && math.Abs(*got-want) <= 1e-6*math.Max(1, math.Abs(want))
}

func is(got *float64) float64 {
	if got == nil {
		return math.NaN()
	}
	return *got
}

// By Little's law the figures of every stage are those that the counters were made of.
func TestKnownNumbers(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.goes(time.Minute, 0)
	b.goes(10*time.Minute, 1)
	doc := b.doc(capacity.Known{})
	if doc.WindowS != 300 || len(doc.Stages) != 5 {
		t.Fatalf("%g s, %d stages", doc.WindowS, len(doc.Stages))
	}
	for i, want := range []capacity.Stage{
		{Stage: capacity.Submit, Component: component.Web, PerSecond: 1, ServiceMS: new(10.0), InProgress: 0.01},
		// Two components have something to store for a tenth of the time each: one of them for 19 %.
		{Stage: capacity.Publish, Component: component.Bus, PerSecond: 4, ServiceMS: new(102.0), InProgress: 0.408, Utilisation: new(0.19), MostPerSecond: new(4 / 0.19)},
		{Stage: capacity.Inspect, Component: component.Inspector, PerSecond: 2, ServiceMS: new(2000.0), InProgress: 4, Slots: 20, Utilisation: new(0.2), MostPerSecond: new(10.0)},
		{Stage: capacity.Record, Component: component.Recorder, PerSecond: 2, ServiceMS: new(0.5), InProgress: 0.001, Slots: 1, Utilisation: new(0.001), MostPerSecond: new(2000.0)},
		{Stage: capacity.Notify, Component: component.Notifier, Slots: 3, Utilisation: new(0.0)},
	} {
		got := doc.Stages[i]
		same := func(got, want *float64) bool { return want == nil && got == nil || want != nil && near(got, *want) }
		if got.Stage != want.Stage || got.Component != want.Component || got.Slots != want.Slots || !near(&got.PerSecond, want.PerSecond) || !near(&got.InProgress, want.InProgress) ||
			!same(got.ServiceMS, want.ServiceMS) || !same(got.Utilisation, want.Utilisation) || !same(got.MostPerSecond, want.MostPerSecond) {
			t.Errorf("%s: %+v (W %g, ρ %g, most %g), want %+v", want.Stage, got, is(got.ServiceMS), is(got.Utilisation), is(got.MostPerSecond), want)
		}
	}
	// 0.3 cores for two inspections a second, and 0.06 without.
	if p := doc.Processor; !near(&p.InUse, 0.36) || !near(&p.Utilisation, 0.18) || !near(p.Idle, 0.06) || !near(p.PerInspectionMS, 150) || !near(p.MostPerSecond, 1.94/0.15) {
		t.Errorf("processor: %+v, %g ms, %g per second", p, is(p.PerInspectionMS), is(p.MostPerSecond))
	}
}

// The stage that is at its target first says how many watches fit, with all inspectors
// and with one fewer.
func TestWatchesThatFit(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.goes(5*time.Minute, 1)
	doc := b.doc(capacity.Known{Watches: []int{30, 60, 60, 60}, Unread: 1})
	w, i := doc.Watches, doc.Inspector
	// Of five watches with a mean interval of 48 s (four in 4/(1/30+3/60) s).
	if w.Count != 5 || !near(&w.EveryS, 48) || !near(&w.PerSecond, 5.0/48) {
		t.Errorf("watches: %+v", w)
	}
	// The slots do 10 a second, and 8 of 20 of that without the larger inspector. The bus
	// does 21 messages, two for each inspection; the processors 11.1.
	if !near(w.MostPerSecond, 7) || w.LimitedBy != capacity.Inspect || *w.Fit != 336 || *w.FitMinute != 420 {
		t.Errorf("%g per second by %s, %d fit, %d every minute; want 7 by inspect, 336 and 420", is(w.MostPerSecond), w.LimitedBy, *w.Fit, *w.FitMinute)
	}
	if i.Up != 2 || i.Slots != 20 || i.SlotsWithout != 8 || !near(i.MostWithout, 2.8) || *i.FitWithout != 134 || *i.FitMinuteLess != 168 || !near(i.UtilisationOne, 0.5) {
		t.Errorf("without one: %+v, %g per second, %d fit", i, is(i.MostWithout), *i.FitWithout)
	}
	if len(doc.Warnings) != 0 {
		t.Errorf("warnings: %q", doc.Warnings)
	}
	many := make([]int, 200)
	for n := range many {
		many[n] = 60
	}
	if got := b.doc(capacity.Known{Watches: many}).Warnings; !slices.Equal(got, []string{"200 watches, and 168 fit while one inspector is away"}) {
		t.Errorf("warnings: %q", got)
	}
	b.down = "2"
	b.goes(0, 1)
	if got := b.doc(capacity.Known{Watches: many}); !slices.Equal(got.Warnings, []string{"200 watches, and 168 fit: stage inspect has no room for more"}) || got.Inspector.Up != 1 || *got.Inspector.FitWithout != 0 {
		t.Errorf("with one inspector: %q, %+v", got.Warnings, got.Inspector)
	}
	b.down = "all"
	b.goes(0, 0)
	if got := b.doc(capacity.Known{Watches: many}); !slices.Equal(got.Warnings, []string{"200 watches, and 0 fit: stage inspect has no room for more"}) {
		t.Errorf("without an inspector: %q", got.Warnings)
	}
}

// The slots of a moment are not those of the whole window: what was in use is a share of
// those that there were.
func TestFewerSlotsForAWhile(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.goes(4*time.Minute, 1)
	b.slots = 1
	b.goes(55*time.Second, 0)
	s := b.doc(capacity.Known{}).Stages[2]
	// 20 slots for 4 minutes, of which 4 were in use, then 2 for one, of which none was.
	if s.Slots != 2 || !near(s.Utilisation, (4*240)/(20*240+2*60.0)) || !near(s.MostPerSecond, 1) {
		t.Errorf("%d slots, %g in use, at most %g per second", s.Slots, is(s.Utilisation), is(s.MostPerSecond))
	}
}

// While a component starts or is away, what the others use is not what Libra uses idle.
func TestIdleOfAllComponents(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.tracker.Take(noon.Add(-capacity.Every), nil, bus.Queue{}) // no heartbeat has come
	b.goes(0, 0)
	if p := b.doc(capacity.Known{}).Processor; p.Idle != nil {
		t.Errorf("components that were not there before use %g cores", is(p.Idle))
	}
	b.down = "2"
	b.goes(time.Minute, 0)
	if p := b.doc(capacity.Known{}).Processor; p.Idle != nil {
		t.Errorf("without an inspector: %g cores", is(p.Idle))
	}
	b.down = ""
	b.goes(time.Minute, 0)
	if p := b.doc(capacity.Known{}).Processor; !near(p.Idle, 0.06) {
		t.Errorf("of all: %g cores, want 0.06", is(p.Idle))
	}
}

// While what an idle Libra uses is not known, the processors' limit is a least: no figure
// says that no more fit.
func TestIdleNotKnown(t *testing.T) {
	t.Parallel()
	busy := func(base int64) *box {
		b := newBox()
		b.base = base
		return b
	}
	known := capacity.Known{Watches: []int{60}, Unread: 999}
	b := busy(100_000) // 0.6 cores without inspections, and 0.3 for two a second
	b.goes(5*time.Minute, 1)
	doc := b.doc(known)
	if p := doc.Processor; p.Idle != nil || !near(p.PerInspectionMS, 450) || !near(p.MostPerSecond, 2/0.45) {
		t.Fatalf("%g ms, %g per second, idle %g", is(p.PerInspectionMS), is(p.MostPerSecond), is(p.Idle))
	}
	if w, i := doc.Watches, doc.Inspector; !w.AtLeast || w.LimitedBy != capacity.Processors || *w.Fit != 186 || i.AtLeast || *i.FitWithout != 168 {
		t.Errorf("%d fit (at least: %t, by %s), %d without one (%t); want at least 186 by the processors, and 168", *w.Fit, w.AtLeast, w.LimitedBy, *i.FitWithout, i.AtLeast)
	}
	if !slices.Equal(doc.Warnings, []string{"1000 watches, and 168 fit while one inspector is away"}) {
		t.Errorf("warnings: %q", doc.Warnings)
	}
	b = busy(200_000) // 1.2 cores: they are scarce for one inspector too
	b.goes(5*time.Minute, 1)
	if doc := b.doc(known); !doc.Watches.AtLeast || !doc.Inspector.AtLeast || !slices.Equal(doc.Warnings, []string{"Libra uses 75 % of 2 processors"}) {
		t.Errorf("at least: %t, %t; warnings: %q", doc.Watches.AtLeast, doc.Inspector.AtLeast, doc.Warnings)
	}
	// Where another stage is scarcer whatever an idle Libra uses, it is known.
	b = busy(10_000)
	b.goes(5*time.Minute, 1)
	if w := b.doc(known).Watches; w.AtLeast || w.LimitedBy != capacity.Inspect {
		t.Errorf("by %s, at least: %t", w.LimitedBy, w.AtLeast)
	}
	b = busy(100_000)
	b.goes(5*time.Second, 0)
	b.goes(5*time.Minute, 1)
	if doc := b.doc(known); doc.Watches.AtLeast || !near(doc.Processor.Idle, 0.6) || !near(doc.Processor.PerInspectionMS, 150) {
		t.Errorf("after 5 s without inspections: at least %t, %g cores, %g ms", doc.Watches.AtLeast, is(doc.Processor.Idle), is(doc.Processor.PerInspectionMS))
	}
}

// Of too few inspections nothing is computed.
func TestTooFewToSay(t *testing.T) {
	t.Parallel()
	b := newBox()
	if doc := b.doc(capacity.Known{}); !doc.At.IsZero() || doc.Queue != nil || doc.Watches.Fit != nil || doc.Warnings == nil {
		t.Errorf("without a sample: %+v", doc)
	}
	b.goes(5*time.Second, 1) // one interval of five seconds: ten inspections
	if doc := b.doc(capacity.Known{Watches: []int{60}}); doc.Watches.Fit != nil || doc.Processor.MostPerSecond != nil || doc.Queue.PerMinute != nil || !near(doc.Stages[2].ServiceMS, 2000) {
		t.Errorf("of ten inspections: %+v", doc)
	}
	b.goes(5*time.Second, 1)
	if doc := b.doc(capacity.Known{Watches: []int{60}}); doc.Watches.Fit == nil {
		t.Errorf("of thirty inspections: %+v", doc)
	}
	// After a quiet night they are those of before.
	b.goes(time.Hour, 0)
	doc := b.doc(capacity.Known{Watches: []int{60}})
	if doc.Watches.Fit == nil || doc.Stages[2].PerSecond != 0 || !near(doc.Stages[2].ServiceMS, 2000) || !near(doc.Stages[2].Utilisation, 0) || !near(doc.Stages[2].MostPerSecond, 10) {
		t.Errorf("after an hour without: %+v", doc.Stages[2])
	}
}

// A process that was started again has counted from 0, one that is new from its first
// sample: no figure is negative, or of the time before.
func TestRestart(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.goes(5*time.Minute, 1)
	b.starts["libra-inspector/1"]++
	b.counted["libra-inspector/1"] = counts{}
	b.goes(5*time.Minute, 1)
	if got := b.doc(capacity.Known{}).Stages[2]; !near(&got.PerSecond, 2) || !near(&got.InProgress, 4) {
		t.Errorf("after a restart: %+v", got)
	}
	late := newBox()
	late.counted["libra-inspector/1"] = counts{"reports_published": 1_000_000, "busy_us": 1 << 50}
	late.goes(time.Minute, 1)
	if got := late.doc(capacity.Known{}).Stages[2]; !near(&got.PerSecond, 2) || !near(&got.InProgress, 4) {
		t.Errorf("of inspectors that were there before libra-web: %+v", got)
	}
}

// A queue that grows says when it is full; one that goes up and down, or shrinks, does
// not.
func TestQueueTrend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		open      func(sample int) int
		perMinute float64
		full      float64 // seconds; NaN for never
	}{
		{"grows by one a second", func(n int) int { return 100 + 5*n }, 60, (1_000_000_000 - 1000*400) / 1000.0},
		{"is full in 28 days", func(n int) int { return 1 + 2*n }, 24, (1_000_000_000 - 1000*121) / 400.0},
		{"grows slowly: in 35 days", func(n int) int { return 1 + 5*n/3 }, 20, math.NaN()},
		{"stays", func(int) int { return 100 }, 0, math.NaN()},
		{"grows by a few", func(n int) int { return 100 + n/10 }, 1.04, math.NaN()},
		{"shrinks", func(n int) int { return 1000 - 5*n }, -60, math.NaN()},
		{"a spike that has drained", func(n int) int { return 2000 * (n / 48 % 2) * min(1, 60-n) }, 0, math.NaN()},
		{"a step that stays", func(n int) int { return 2000 * min(1, n/30) }, 0, math.NaN()},
	} {
		b := newBox()
		for n := range 61 {
			b.queue.Open = c.open(n)
			b.queue.Bytes, b.queue.Oldest = int64(1000*b.queue.Open), noon.Add(-time.Minute)
			b.goes(0, 0)
		}
		q := b.doc(capacity.Known{}).Queue
		if q.PerMinute == nil || math.Abs(*q.PerMinute-c.perMinute) > 0.02 || math.IsNaN(c.full) != (q.FullInS == nil) || q.FullInS != nil && !near(q.FullInS, c.full) {
			t.Errorf("%s: by %g a minute, full in %g s; want %g, %g", c.name, is(q.PerMinute), is(q.FullInS), c.perMinute, c.full)
		}
		if q.Open != c.open(60) || q.OldestAgeS != 60+61*5 {
			t.Errorf("%s: %+v", c.name, q)
		}
	}
}

// Watches that are due and wait are shown; a warning names them when they wait longer than
// their interval.
func TestWatchesThatWait(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.goes(0, 0)
	if q := b.doc(capacity.Known{}).Queue; q.WatchesWaiting != 0 || q.WatchesWaitS != 0 {
		t.Errorf("without any: %+v", q)
	}
	b.waiting = counts{"watches_waiting": 4872, "watches_waiting_since_unix": b.at.Unix()}
	b.goes(55*time.Second, 0)
	known := capacity.Known{Watches: []int{60}}
	if doc := b.doc(known); doc.Queue.WatchesWaiting != 4872 || doc.Queue.WatchesWaitS != 60 || len(doc.Warnings) != 0 {
		t.Errorf("for a minute: %+v, %q", doc.Queue, doc.Warnings)
	}
	b.goes(0, 0)
	want := []string{"4872 watches due and waiting, the longest for 1 min 5 s: their client has as many open requests as it may; set longer intervals, end some, or add inspectors"}
	if doc := b.doc(known); !slices.Equal(doc.Warnings, want) {
		t.Errorf("for longer: %q", doc.Warnings)
	}
}

// The history grows by what each report has added, and its disk is full or pruned when
// that has filled the rest.
func TestHistoryGrowth(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.goes(5*time.Minute, 1)
	size := store.Size{Bytes: 1_000_000_000, Reports: 100_000, Since: 24 * time.Hour, Disk: store.Disk{Used: 6_000_000_000, Available: 4_000_000_000}}
	h := b.doc(capacity.Known{History: &size}).History
	// 5 kB a report, half a GB a day: 80 % is 2 GB away, 100 % is 4 GB.
	if !near(h.BytesPerReport, 5000) || !near(h.ReportsPerDay, 100_000) || !near(h.BytesPerDay, 5e8) || h.DiskPercent != 60 || h.PruneAtPercent != 80 ||
		!near(h.PruneInS, 4*86400) || !near(h.FullInS, 8*86400) || !near(h.HoldsDays, 6) {
		t.Errorf("%+v: %g bytes per report, %g per day, pruned in %g s, full in %g s, holds %g days", h, is(h.BytesPerReport), is(h.BytesPerDay), is(h.PruneInS), is(h.FullInS), is(h.HoldsDays))
	}
	if got := b.doc(capacity.Known{History: &size}).Warnings; len(got) != 1 || !strings.Contains(got[0], "is 80 % full in 4 days: the oldest reports are removed") {
		t.Errorf("warnings: %q", got)
	}
	// Of a history that is younger than an hour the present rate is taken: two a second.
	size.Since, size.Reports = time.Minute, 7
	if h := b.doc(capacity.Known{History: &size}).History; !near(h.ReportsPerDay, 2*86400) {
		t.Errorf("young: %g reports a day", is(h.ReportsPerDay))
	}
	size.Disk = store.Disk{Used: 9_000_000_000, Available: 1_000_000_000}
	doc := b.doc(capacity.Known{History: &size})
	if h := doc.History; !near(h.PruneInS, 0) || !near(h.HoldsDays, 0) || len(doc.Warnings) != 1 || !strings.Contains(doc.Warnings[0], "is 90 % full: the oldest reports are removed") {
		t.Errorf("%+v, %q", h, doc.Warnings)
	}
}

// What is in use beyond the target is named.
func TestBusy(t *testing.T) {
	t.Parallel()
	b := newBox()
	b.goes(5*time.Minute, 4)
	got := b.doc(capacity.Known{}).Warnings
	if want := []string{"stage inspect is 80 % in use: from 70 % on, what arrives waits"}; !slices.Equal(got, want) {
		t.Errorf("warnings: %q, want %q", got, want)
	}
}
