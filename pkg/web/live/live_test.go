package live_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/web/live"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func after(samples int) time.Time { return start.Add(time.Duration(samples) * live.Every) }

func samples(component, instance string, from int64, cpuUS ...int64) event.Samples {
	s := event.Samples{Component: component, Instance: instance}
	for i, used := range cpuUS {
		s.Samples = append(s.Samples, event.Sample{Number: from + int64(i), Took: 1, TookUS: 100_000, CPUUS: used, Resident: 10})
	}
	return s
}

func collecting() *live.View {
	v := live.New([]string{"libra-web", "libra-inspector"}, 2)
	v.Look(start)
	v.Begin(start)
	return v
}

// Samples of all instances are added up by component, each in its own time; what has not
// settled is not shown yet, and what was shown is not shown again.
func TestSamplesByComponent(t *testing.T) {
	v := collecting()
	first := event.SampleAt(after(1))
	for i := 1; i <= 20; i++ {
		if i == 3 {
			v.Reported("r1", false)
			v.Reported("r2", true)
			v.Reported("r3", false)
		}
		v.Take(live.Queue{Open: i, OldestS: 1.5, Connections: 4}, after(i))
	}
	v.Samples(samples("libra-web", "1", first, 10_000, 20_000))
	v.Samples(samples("libra-inspector", "1", first, 50_000, 100_000))
	v.Samples(samples("libra-inspector", "2", first+1, 25_000))
	late := samples("libra-web", "1", first+4, 60_000)
	late.Samples[0].Took, late.Samples[0].TookUS = 3, 300_000
	v.Samples(late)
	v.Samples(samples("nobody", "1", first, 1))
	v.Samples(samples("libra-web", "1", first-5, 99_000))
	v.Samples(samples("libra-web", "1", first+500, 99_000))
	odd := samples("libra-web", "1", first, -5)
	odd.Samples[0].Resident = -5
	v.Samples(odd)

	d := v.Doc(0, after(20))
	if len(d.Samples) != 8 || d.Next != d.Samples[7].Number+1 || d.Samples[0].Number != first {
		t.Fatalf("%d samples from %d, next %d", len(d.Samples), d.Samples[0].Number, d.Next)
	}
	if diff := cmp.Diff(live.Sample{Number: first + 1, CPU: []float64{0.2, 1.25}, Memory: []int64{10, 20}, Queue: live.Queue{Open: 2, OldestS: 1.5, Connections: 4}}, d.Samples[1]); diff != "" {
		t.Errorf("second sample (-want +got):\n%s", diff)
	}
	if s := d.Samples[2]; s.Succeeded != 2 || s.Failed != 1 || s.CPU[0] != 0.2 {
		t.Errorf("third sample: %+v, want what was reported in it, and its third of a late sample", s)
	}
	if s := d.Samples[5]; s.CPU[0] != 0 || s.Succeeded != 0 {
		t.Errorf("sixth sample: %+v", s)
	}
	if again := v.Doc(d.Next, after(20)); len(again.Samples) != 0 || again.Next != d.Next {
		t.Errorf("again: %+v", again)
	}
	if more := v.Doc(d.Next, after(21)); len(more.Samples) != 1 {
		t.Errorf("later: %+v", more)
	}
}

// What a component sends at the end of a sample counts, also where it comes before libra-web
// has ended that sample itself.
func TestSampleComesFirst(t *testing.T) {
	v := collecting()
	v.Take(live.Queue{Open: 1}, after(1))
	first := event.SampleAt(after(1))
	for n := range int64(10) {
		v.Samples(samples("libra-web", "1", first+n, 50_000))
		v.Take(live.Queue{Open: 2, Connections: 3}, after(int(n)+1))
	}
	v.Samples(samples("libra-web", "1", first+1000, 50_000)) // of a clock that is ahead
	d := v.Doc(0, after(30))
	if len(d.Samples) != 10 {
		t.Fatalf("%d samples, want 10", len(d.Samples))
	}
	for i, s := range d.Samples {
		if s.CPU[0] != 0.5 || s.Memory[0] != 10 || i > 0 && s.Queue != (live.Queue{Open: 2, Connections: 3}) {
			t.Errorf("sample %d: %+v", i, s)
		}
	}
}

// The inspections of all inspectors are listed by what they use, without those that were
// reported meanwhile, and without those of an inspector that is silent.
func TestRunning(t *testing.T) {
	v := collecting()
	inspection := func(request string, cpu int64, age time.Duration) event.Inspection {
		return event.Inspection{Request: request, CPUMS: cpu, Since: start.Add(-age)}
	}
	v.Running(event.Running{Inspector: "1", Count: 70, Inspections: []event.Inspection{inspection("young", 0, time.Second), inspection("old", 0, time.Minute)}}, start)
	v.Running(event.Running{Inspector: "2", Count: 2, Inspections: []event.Inspection{inspection("busy", 900, time.Second), inspection("done", 5, time.Second)}}, after(10))
	v.Reported("done", false)
	names := func(d live.Doc) (list []string) {
		for _, r := range d.Running {
			list = append(list, r.Request)
		}
		return list
	}
	d := v.Doc(0, after(10))
	if diff := cmp.Diff([]string{"busy", "old", "young"}, names(d)); diff != "" || d.Count != 71 || d.Running[1].AgeS != 61 || d.Running[1].Inspector != "1" || !slices.Equal(d.Inspectors, []string{"1", "2"}) {
		t.Errorf("%d in progress, %+v (-want +got):\n%s", d.Count, d, diff)
	}
	v.Take(live.Queue{}, after(30))
	if diff := cmp.Diff([]string{"busy"}, names(v.Doc(0, after(30)))); diff != "" {
		t.Errorf("once inspector 1 is silent (-want +got):\n%s", diff)
	}
}

// However long somebody looks and whatever is sent, a minute is kept, of so many
// inspectors and inspections; nothing is kept when nobody looks.
func TestBounds(t *testing.T) {
	v := collecting()
	for i := 1; i <= 2000; i++ {
		v.Take(live.Queue{}, after(i))
	}
	many := make([]event.Inspection, 500)
	for i := range many {
		many[i].Request = fmt.Sprint(i)
	}
	for i := range 100 {
		v.Running(event.Running{Inspector: fmt.Sprint(i), Count: 500, Inspections: many}, after(2000))
	}
	d := v.Doc(0, after(2012))
	if len(d.Samples) != 600 || d.Samples[599].Number != event.SampleAt(after(2000)) || len(d.Inspectors) != 32 || len(d.Running) != 32*event.MostRunning {
		t.Errorf("%d samples, %d inspectors, %d inspections", len(d.Samples), len(d.Inspectors), len(d.Running))
	}
	v.Take(live.Queue{}, after(100_000)) // after a pause
	if d := v.Doc(0, after(100_100)); len(d.Samples) != 1 {
		t.Errorf("%d samples after a pause", len(d.Samples))
	}
	v.Take(live.Queue{}, after(50)) // the clock was set back
	if d := v.Doc(0, after(100_100)); len(d.Samples) != 1 || d.Samples[0].Number != event.SampleAt(after(50)) {
		t.Errorf("%d samples after the clock was set back", len(d.Samples))
	}
	if d := v.Doc(event.SampleAt(after(100_000)), after(70)); len(d.Samples) != 1 || d.Next != event.SampleAt(after(50))+1 {
		t.Errorf("who looked before the clock was set back gets %d samples, next %d", len(d.Samples), d.Next)
	}
	if !v.Looking(start.Add(live.Looked-1)) || v.Looking(start.Add(live.Looked)) {
		t.Error("somebody who looks is looking for three seconds")
	}
	v.Rest()
	v.Take(live.Queue{}, after(100_200))
	v.Samples(samples("libra-web", "1", 1, 1))
	v.Running(event.Running{Inspector: "1"}, start)
	if d := v.Doc(0, after(100_300)); len(d.Samples) != 0 || len(d.Inspectors) != 0 {
		t.Errorf("kept although nobody looks: %+v", d)
	}
}
