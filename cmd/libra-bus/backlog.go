package main

import (
	"time"

	"libra/pkg/bus"
	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// declareBacklog adds to the heartbeats how many reports are not recorded, and since
// when that refuses requests.
func declareBacklog(p *daemon.Process, backlog func() (bus.Backlog, time.Time)) {
	p.Count("reports_unrecorded", func() int64 { b, _ := backlog(); return int64(b.Reports) })
	p.Count(event.RefusedCounter, func() int64 { _, since := backlog(); return unix(since) })
	p.Reasons(func() []libra.Reason {
		b, since := backlog()
		if since.IsZero() {
			return nil
		}
		return []libra.Reason{libra.Because(libra.CodeHistoryBehind, b.String())}
	})
}

// declareDue adds how many due watches wait for room among the open requests of their
// client, and since when.
func declareDue(p *daemon.Process, waiting func() (int, time.Time)) {
	p.Count(event.WaitingCounter, func() int64 { n, _ := waiting(); return int64(n) })
	p.Count(event.WaitingSinceCounter, func() int64 { _, since := waiting(); return unix(since) })
}

// unix is a time in heartbeats: 0 for the zero time.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
