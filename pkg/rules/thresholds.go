package rules

import "time"

func readThresholds(s *section, t *Thresholds) {
	s.duration("heartbeat", &t.Heartbeat, time.Second, time.Hour, false)
	s.duration("behind", &t.Behind, time.Second, day, false)
	s.count("missed", &t.Missed, 1, 1000)
	readRows(s, "component", &t.Component)
	readRows(s, "host", &t.Host)
	readRows(s, "page", &t.Page)
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

func readRows(s *section, key string, r *Streak) {
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

// rising blames limits that get easier as the severity rises; 0 is none.
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
