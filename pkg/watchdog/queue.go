package watchdog

import (
	"context"
	"fmt"
	"time"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/meter"
)

// queueProbe judges how long the oldest request has been open, how many are, how full
// the space for them is, now and soon, and how long due watches wait to become requests. When the bus does not answer, that is the bus's
// fault.
func (w *Watchdog) queueProbe() *probe {
	fills := meter.Trend{Over: 3 * time.Minute, Every: 6 * time.Second} // belongs to the check, which runs once at a time
	return &probe{
		indirect: true,
		alarm: libra.Alarm{
			ID: queueAlarm, Scope: libra.ScopeComponent, Target: component.Inspector, Severity: libra.Minor,
			Summary: "Requests wait too long", Runbook: "#queue",
		},
		recovered: "Requests are answered in time again",
		check: func(ctx context.Context, p *probe) Reading {
			q, err := w.deps.Bus.Queue(ctx)
			if err != nil {
				return Reading{Evidence: "the bus does not answer: " + err.Error()}
			}
			now := time.Now()
			fills.Add(now, float64(q.Bytes))
			readings := []Reading{w.judgeDue(p, now)}
			if q.Open > 0 {
				readings = append(readings, w.judgeWait(p, q, now.Sub(q.Oldest)), w.judgeSpace(p, q, &fills))
			}
			return worst(readings)
		},
	}
}

// worst is the most severe of readings, the first of those.
func worst(readings []Reading) Reading {
	r := Reading{Verdict: Pass}
	for _, other := range readings {
		if other.Verdict == Fail && (r.Verdict != Fail || other.Severity.Rank() > r.Severity.Rank()) {
			r = other
		}
	}
	return r
}

// judgeDue judges for how long watches wait that are due and have no request yet, by
// what libra-bus says of them. While its heartbeats do not arrive, that has an alarm of its
// own.
func (w *Watchdog) judgeDue(p *probe, now time.Time) Reading {
	r, bus := Reading{Verdict: Pass}, Target{Component: component.Bus}
	n, _, _ := w.heartbeats.counter(bus, event.WaitingCounter)
	since, _, arriving := w.heartbeats.counter(bus, event.WaitingSinceCounter)
	if !arriving || n == 0 || since == 0 {
		return r
	}
	wait, limits := now.Sub(time.Unix(since, 0)), w.config().Queue
	for _, l := range []struct {
		severity libra.Severity
		wait     time.Duration
	}{{libra.Minor, limits.Minor}, {libra.Major, limits.Major}, {libra.Critical, limits.Critical}} {
		if l.wait <= 0 || wait < l.wait {
			continue
		}
		longest, limit := libra.FormatDurationBoth(wait, l.wait)
		r = p.failByBus("%s due and waiting, the longest for %s, limit %s: their client has as many open requests as it may. Set longer intervals, end some, or add inspectors",
			libra.Plural(int(n), "watch", "watches"), longest, limit)
		r.Severity, r.Summary = l.severity, "Watches of one client come due faster than they are inspected"
	}
	return r
}

// judgeWait judges age and number of the open requests.
func (w *Watchdog) judgeWait(p *probe, q bus.Queue, wait time.Duration) Reading {
	cfg := w.config()
	waiting := libra.Several(q.Open, "request") + " waiting, the oldest for "
	r := Reading{Verdict: Pass}
	for _, l := range []struct {
		severity libra.Severity
		wait     time.Duration
		open     int
	}{
		{libra.Minor, cfg.Queue.Minor, cfg.QueueLength.Minor},
		{libra.Major, cfg.Queue.Major, cfg.QueueLength.Major},
		{libra.Critical, cfg.Queue.Critical, cfg.QueueLength.Critical},
	} {
		switch {
		case l.wait > 0 && wait >= l.wait:
			oldest, limit := libra.FormatDurationBoth(wait, l.wait)
			r = p.failByBus("%s%s, limit %s", waiting, oldest, limit)
		case l.open > 0 && q.Open >= l.open:
			r = p.failByBus("%s%s, limit %d", waiting, libra.FormatDuration(wait), l.open)
		default:
			continue
		}
		r.Severity = l.severity
	}
	return r
}

// judgeSpace judges how full the space for requests is, and when it will be if it goes on
// as it does.
func (w *Watchdog) judgeSpace(p *probe, q bus.Queue, fills *meter.Trend) Reading {
	if q.Most <= 0 {
		return Reading{Verdict: Pass}
	}
	cfg := w.config()
	full := 100 * float64(q.Bytes) / float64(q.Most)
	soon := ""
	in, growing := fills.Until(float64(q.Most) - float64(q.Bytes))
	if growing {
		soon = fmt.Sprintf("; full in %s at this rate", libra.FormatDuration(in.Round(time.Second)))
	}
	waiting, severity := libra.Several(q.Open, "request")+" waiting, ", libra.Minor
	var r Reading
	if s, limit := exceeded(full, cfg.QueueFull); s != "" {
		severity = s
		r = p.failByBus("%s%s of the space for them used, limit %g %%%s", waiting, shareText(full, limit), limit, soon)
	} else if growing && cfg.QueueFullIn > 0 && in <= cfg.QueueFullIn {
		r = p.failByBus("%s%.1f %% of the space for them used%s, limit %s", waiting, full, soon, libra.FormatDuration(cfg.QueueFullIn))
	} else {
		return Reading{Verdict: Pass}
	}
	r.Severity, r.Summary = severity, "Requests come in faster than they are inspected: the space for them fills up"
	return r
}
