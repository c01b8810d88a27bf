package rules

import "time"

// Thresholds say when something is an alarm. It is the one such type: [thresholds]
// of alarms.toml is read into it, and the watchdog judges by it. A limit
// per severity that is 0 raises nothing.
type Thresholds struct {
	Component Streak // of Libra's components
	Host      Streak // of disk and memory
	Page      Streak // of watched pages
	Flap      Flap
	// Heartbeat is how long a component may send no heartbeat.
	Heartbeat time.Duration
	// Restarts of one unit, so many within RestartsWithin, are an alarm.
	Restarts       int
	RestartsWithin time.Duration
	// Behind is for how long the recorder may write nothing while something
	// waits.
	Behind      time.Duration
	Disk        Percent // of the file system in use
	Memory      Percent // of the time in which a process waited for memory
	Queue       Waits   // age of the oldest request
	QueueLength Counts  // open requests
	QueueFull   Percent // of the space for requests in use
	// QueueFullIn is a minor alarm when that space will be full so soon, at the rate
	// of the last minutes; 0: none.
	QueueFullIn time.Duration
	Certificate Days // until a watched page's certificate expires
	// Missed is how many consecutive scheduled inspections may have no report.
	Missed int
}

// Streak is how many consecutive readings raise and clear an alarm.
type Streak struct {
	Raise int // failures
	Clear int // passes
}

// Flap is when an alarm is flapping: when it is raised Raises times within
// Within. Then it takes Calm consecutive passes to clear it.
type Flap struct {
	Raises int
	Within time.Duration
	Calm   int
}

// Percent has a limit per severity; 0: none.
type Percent struct{ Minor, Major, Critical float64 }

// Waits has a limit per severity; 0: none.
type Waits struct{ Minor, Major, Critical time.Duration }

// Counts has a limit per severity; 0: none.
type Counts struct{ Minor, Major, Critical int }

// Days has a limit of the days left per severity, the least severe first; 0: none.
type Days struct{ Minor, Major, Critical int }

func readThresholds(s *section, t *Thresholds) {
	s.duration("heartbeat", &t.Heartbeat, time.Second, time.Hour, false)
	s.duration("behind", &t.Behind, time.Second, day, false)
	s.duration("queue_full_in", &t.QueueFullIn, time.Second, day, true)
	s.count("missed", &t.Missed, 1, 1000)
	readStreak(s, "component", &t.Component)
	readStreak(s, "host", &t.Host)
	readStreak(s, "page", &t.Page)
	if s := s.table("flap", "[thresholds.flap]"); s != nil {
		s.count("raises", &t.Flap.Raises, 2, 1000)
		s.duration("within", &t.Flap.Within, time.Second, day, false)
		s.count("calm", &t.Flap.Calm, 1, 100_000)
		s.finish()
	}
	if s := s.table("restarts", "[thresholds.restarts]"); s != nil {
		s.count("starts", &t.Restarts, 2, 1000)
		s.duration("within", &t.RestartsWithin, time.Second, day, false)
		s.finish()
	}
	readPercent(s, "disk", &t.Disk)
	readPercent(s, "memory", &t.Memory)
	readPercent(s, "queue_full", &t.QueueFull)
	if s := s.table("queue", "[thresholds.queue]"); s != nil {
		q := &t.Queue
		s.duration("minor", &q.Minor, time.Second, month, true)
		s.duration("major", &q.Major, time.Second, month, true)
		s.duration("critical", &q.Critical, time.Second, month, true)
		rising(s, q.Minor.Seconds(), q.Major.Seconds(), q.Critical.Seconds())
		s.finish()
	}
	if s := s.table("queue_length", "[thresholds.queue_length]"); s != nil {
		q := &t.QueueLength
		readCounts(s, &q.Minor, &q.Major, &q.Critical)
		rising(s, float64(q.Minor), float64(q.Major), float64(q.Critical))
	}
	if s := s.table("certificate_days", "[thresholds.certificate_days]"); s != nil {
		c := &t.Certificate
		readCounts(s, &c.Minor, &c.Major, &c.Critical)
		rising(s, -float64(c.Minor), -float64(c.Major), -float64(c.Critical))
	}
}

func readStreak(s *section, key string, r *Streak) {
	if s := s.table(key, "[thresholds."+key+"]"); s != nil {
		s.count("raise", &r.Raise, 1, 1000)
		s.count("clear", &r.Clear, 1, 1000)
		s.finish()
	}
}

func readPercent(s *section, key string, p *Percent) {
	if s := s.table(key, "[thresholds."+key+"]"); s != nil {
		s.number("minor", &p.Minor, 0, 100)
		s.number("major", &p.Major, 0, 100)
		s.number("critical", &p.Critical, 0, 100)
		rising(s, p.Minor, p.Major, p.Critical)
		s.finish()
	}
}

func readCounts(s *section, minor, major, critical *int) {
	const most = 1_000_000
	s.count("minor", minor, 0, most)
	s.count("major", major, 0, most)
	s.count("critical", critical, 0, most)
	s.finish()
}

// rising reports limits that are reached earlier the higher the severity; 0 means no limit.
func rising(s *section, limits ...float64) {
	names := []string{"minor", "major", "critical"}
	last := -1
	for i, limit := range limits {
		if limit == 0 {
			continue
		}
		if last >= 0 && limit < limits[last] {
			s.blame(names[i], "%s is reached before %s in %s: order them, or leave one out with 0", names[i], names[last], s.what)
		}
		last = i
	}
}
