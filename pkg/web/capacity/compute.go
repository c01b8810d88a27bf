package capacity

import (
	"math"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/store"
)

// Known is what a Tracker does not count.
type Known struct {
	Now     time.Time
	Cores   int
	Watches []int // the intervals of those that are read, in seconds
	Unread  int   // further watches, whose intervals are not known
	History *store.Size
}

// Doc computes the document of now.
func (t *Tracker) Doc(k Known) Doc {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := computing{Tracker: t, known: k}
	n := len(t.samples)
	if n > 0 {
		newest := t.samples[n-1]
		c.window, c.took = newest.minus(t.samples[0]), newest.at.Sub(t.samples[0].at)
		c.long, c.longTook = c.window, c.took
		if c.window.done[inspect] < LeastDone {
			c.long, c.longTook = newest.minus(t.first), newest.at.Sub(t.first.at)
		}
	}
	doc := Doc{WindowS: c.took.Seconds(), Stages: c.stages(), Processor: c.processor(), Watches: watches(k)}
	if n > 0 {
		doc.At = t.samples[n-1].at.UTC()
		doc.Queue = c.queue()
	}
	doc.Inspector = c.inspectors(doc)
	c.fit(&doc)
	doc.History = c.history(doc.Stages[record].PerSecond)
	doc.Warnings = warnings(doc)
	return doc
}

// computing is one call of Doc.
type computing struct {
	*Tracker
	known  Known
	window sample // counted in the window
	took   time.Duration
	// long is the window, or everything since the first sample where the window has too
	// few inspections.
	long     sample
	longTook time.Duration
}

func (c computing) stages() []Stage {
	list := make([]Stage, len(stages))
	for i, stage := range stages {
		s := Stage{
			Stage: stage.name, Component: stage.shown, Slots: c.slots(stage.component),
			PerSecond: per(c.window.done[i], c.took), InProgress: per(c.window.spent[i], c.took),
		}
		done, spent := c.long.done[i], c.long.spent[i]
		if done > 0 {
			s.ServiceMS = new(1000 * spent / done)
		}
		switch {
		case i == publish && c.took > 0:
			// The bus stores one message after the other: W includes the wait for those before.
			s.Utilisation = new(per(c.window.bus, c.took))
			if done > 0 && c.long.bus > 0 {
				s.MostPerSecond = new(done / c.long.bus)
			}
		case s.Slots > 0 && c.window.slots[i] > 0:
			// Of the slots that there were meanwhile: an inspector has few while the host is short.
			s.Utilisation = new(c.window.spent[i] / c.window.slots[i])
			if done > 0 && spent > 0 {
				s.MostPerSecond = new(float64(s.Slots) * done / spent)
			}
		}
		list[i] = s
	}
	return list
}

// slots is how many the instances of a component that are up have together.
func (c computing) slots(name string) (sum int64) {
	for key, r := range c.last {
		if key.component == name && r.Up {
			sum += max(0, r.Counters[slotsCounter])
		}
	}
	return sum
}

// processor takes what an idle Libra uses off what the inspections use. Where that is not
// known, all is the inspections', which is the most that they can use.
func (c computing) processor() Processor {
	p := Processor{Cores: c.known.Cores, InUse: per(c.window.cpu, c.took), Idle: c.idle}
	if p.Cores <= 0 {
		return p
	}
	p.Utilisation = p.InUse / float64(p.Cores)
	if c.long.done[inspect] < LeastDone {
		return p
	}
	idle := 0.0
	if p.Idle != nil {
		idle = *p.Idle
	}
	each := (c.long.cpu - idle*c.longTook.Seconds()) / c.long.done[inspect]
	if each > 0 {
		p.PerInspectionMS = new(1000 * each)
		p.MostPerSecond = new(max(0, float64(p.Cores)-idle) / each)
	}
	return p
}

// queue is the newest look at the open requests, and the trend of the window.
func (c computing) queue() *QueueDoc {
	newest := c.samples[len(c.samples)-1].queue
	q := &QueueDoc{Open: newest.Open, Bytes: newest.Bytes, MostBytes: newest.Most}
	if !newest.Oldest.IsZero() {
		q.OldestAgeS = max(0, c.known.Now.Sub(newest.Oldest).Seconds())
	}
	q.WatchesWaiting, q.WatchesWaitS = c.watchesWaiting()
	perSecond, known := c.open.Rate()
	if !known {
		return q
	}
	q.PerMinute = new(60 * perSecond)
	if perSecond*c.took.Seconds() < leastTrend {
		return q
	}
	if full, ok := c.bytes.Until(float64(q.MostBytes - q.Bytes)); ok {
		q.FullInS = new(full.Seconds())
	}
	return q
}

// watchesWaiting is what libra-bus says of the watches that are due and have no request.
func (c computing) watchesWaiting() (n int64, seconds float64) {
	for key, r := range c.last {
		since := r.Counters[event.WaitingSinceCounter]
		if key.component != component.Bus || !r.Up || since <= 0 {
			continue
		}
		n += r.Counters[event.WaitingCounter]
		seconds = max(seconds, c.known.Now.Sub(time.Unix(since, 0)).Seconds())
	}
	return n, seconds
}

func watches(k Known) WatchesDoc {
	w := WatchesDoc{Count: len(k.Watches) + k.Unread, EveryS: 60}
	for _, every := range k.Watches {
		w.PerSecond += 1 / float64(every)
	}
	if w.PerSecond > 0 {
		w.EveryS = float64(len(k.Watches)) / w.PerSecond
		w.PerSecond = float64(w.Count) / w.EveryS
	}
	return w
}

// inspectors says how many slots are left without the inspector that has most.
func (c computing) inspectors(doc Doc) (i InspectorsDoc) {
	var most int64
	for key, r := range c.last {
		if key.component == component.Inspector && r.Up {
			i.Up++
			most = max(most, r.Counters[slotsCounter])
		}
	}
	i.Slots = doc.Stages[inspect].Slots
	i.SlotsWithout = i.Slots - most
	if c.took > 0 && i.SlotsWithout > 0 {
		i.UtilisationOne = new(doc.Stages[inspect].InProgress / float64(i.SlotsWithout))
	}
	return i
}

// fit says how many inspections leave every stage and the processors at Target. Where it
// is the processors, and their idle load is not known, these are the least.
func (c computing) fit(doc *Doc) {
	if c.long.done[inspect] < LeastDone {
		return
	}
	most, without := math.Inf(1), math.Inf(1)
	limit := func(by StageName, one, fewer float64) {
		if one < most {
			most, doc.Watches.LimitedBy = one, by
			doc.Watches.AtLeast = by == Processors && c.idle == nil
		}
		if fewer < without {
			without = fewer
			doc.Inspector.AtLeast = by == Processors && c.idle == nil
		}
	}
	if doc.Inspector.Up == 0 {
		limit(Inspect, 0, 0)
	}
	for i, stage := range stages {
		s := doc.Stages[i]
		if !stage.watches || s.MostPerSecond == nil || c.long.done[i] == 0 {
			continue
		}
		// Of this stage there may be several for each inspection.
		inspections := *s.MostPerSecond * c.long.done[inspect] / c.long.done[i]
		fewer := inspections
		if i == inspect {
			fewer *= float64(doc.Inspector.SlotsWithout) / float64(doc.Inspector.Slots)
		}
		limit(stage.name, inspections, fewer)
	}
	if p := doc.Processor.MostPerSecond; p != nil {
		limit(Processors, *p, *p)
	}
	if math.IsInf(most, 1) {
		return
	}
	most, without = Target*most, Target*without
	w, i := &doc.Watches, &doc.Inspector
	w.MostPerSecond, w.Fit, w.FitMinute = &most, new(int(most*w.EveryS)), new(int(most*60))
	i.MostWithout, i.FitWithout, i.FitMinuteLess = &without, new(int(without*w.EveryS)), new(int(without*60))
}

// history says how the history grows, and when its disk is full. recorded is how many
// reports are recorded per second now.
func (c computing) history(recorded float64) *HistoryDoc {
	h := c.known.History
	if h == nil {
		return nil
	}
	doc := &HistoryDoc{Bytes: h.Bytes, DiskUsed: h.Disk.Used, DiskAvailable: h.Disk.Available, DiskPercent: h.Disk.Percent()}
	var grown, reports float64
	for key, r := range c.last {
		if key.component == component.Recorder {
			grown, reports = float64(r.Counters[grownCounter]), float64(r.Counters[stages[record].done])
			doc.PruneAtPercent = r.Counters[pruneCounter]
		}
	}
	const day = 24 * time.Hour
	switch {
	case h.Since >= time.Hour:
		doc.ReportsPerDay = new(float64(h.Reports) * day.Seconds() / h.Since.Seconds())
	case c.took > 0:
		doc.ReportsPerDay = new(recorded * day.Seconds())
	}
	if reports >= LeastDone && grown > 0 {
		doc.BytesPerReport = new(grown / reports)
	}
	if doc.ReportsPerDay == nil || doc.BytesPerReport == nil || *doc.ReportsPerDay == 0 {
		return doc
	}
	perDay := *doc.ReportsPerDay * *doc.BytesPerReport
	in := func(room float64) *float64 { return new(max(0, room) / perDay * day.Seconds()) }
	doc.BytesPerDay, doc.FullInS = &perDay, in(float64(h.Disk.Available))
	if doc.PruneAtPercent > 0 {
		room := float64(h.Disk.Used+h.Disk.Available)*float64(doc.PruneAtPercent)/100 - float64(h.Disk.Used)
		doc.PruneInS = in(room)
		doc.HoldsDays = new(max(0, float64(h.Bytes)+room) / perDay)
	}
	return doc
}
