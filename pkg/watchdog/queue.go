package watchdog

import (
	"context"
	"fmt"
	"slices"
	"time"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/libra"
)

// queueProbe judges how long the oldest request has been open, how many are, and how full
// the space for them is, now and soon. When the bus does not answer, that is the bus's
// fault.
func (w *Watchdog) queueProbe() *probe {
	var fills trend // belongs to the check, which runs once at a time
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
			fills.add(now, float64(q.Bytes))
			if q.Open == 0 {
				return Reading{Verdict: Pass}
			}
			r, full := w.judgeWait(p, q, now.Sub(q.Oldest)), w.judgeSpace(p, q, &fills)
			if full.Verdict == Fail && (r.Verdict != Fail || full.Severity.Rank() > r.Severity.Rank()) {
				return full
			}
			return r
		},
	}
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
func (w *Watchdog) judgeSpace(p *probe, q bus.Queue, fills *trend) Reading {
	if q.Most <= 0 {
		return Reading{Verdict: Pass}
	}
	cfg := w.config()
	full := 100 * float64(q.Bytes) / float64(q.Most)
	soon := ""
	in, growing := fills.until(float64(q.Most) - float64(q.Bytes))
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

// A trend is of the last trendOver, from a sample every trendEvery: 31 of them.
const (
	trendOver  = 3 * time.Minute
	trendEvery = 6 * time.Second
	// trendRecent is for how long something must have grown, and must grow still.
	trendRecent = time.Minute
)

// trend is how a quantity grows.
type trend struct{ samples []sample }

type sample struct {
	at    time.Time
	value float64
}

func (t *trend) add(now time.Time, value float64) {
	if n := len(t.samples); n > 0 && now.Sub(t.samples[n-1].at) < trendEvery {
		return
	}
	t.samples = append(t.samples, sample{now, value})
	for now.Sub(t.samples[0].at) > trendOver {
		t.samples = t.samples[1:]
	}
}

// until is how long it takes to grow by so much more at the rate of all samples, or at that of the
// newest where that is lower. The rate of all is exceeded by two thirds of the rates between
// any two of them, as Theil and Sen estimate a slope by the median: what came at once, and
// then no more, is no trend, because fewer than that have it between them.
func (t *trend) until(more float64) (in time.Duration, growing bool) {
	var rates []float64
	var recent float64 // the rate since the newest sample that is old enough
	enough := false
	for i, from := range t.samples {
		for _, to := range t.samples[i+1:] {
			rates = append(rates, from.rate(to))
		}
		if last := t.samples[len(t.samples)-1]; last.at.Sub(from.at) >= trendRecent {
			recent, enough = from.rate(last), true
		}
	}
	if !enough {
		return 0, false
	}
	slices.Sort(rates)
	rate := min(rates[len(rates)/3], recent)
	if rate <= 0 {
		return 0, false
	}
	return time.Duration(min(max(0, more)/rate, trendFar.Seconds()) * float64(time.Second)), true
}

// trendFar is the longest time that a trend gives.
const trendFar = 30 * 24 * time.Hour

// rate is the growth per second from s to a later one.
func (s sample) rate(later sample) float64 {
	return (later.value - s.value) / later.at.Sub(s.at).Seconds()
}
