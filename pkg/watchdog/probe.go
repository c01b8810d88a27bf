package watchdog

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"libra/pkg/libra"
)

// probe is one check of one target. It does not change once it is made.
type probe struct {
	indirect   bool        // asks through another target, whose fault it is when no answer comes
	alarm      libra.Alarm // ID, Scope, Target, Summary and Runbook of its alarm
	recovered  string      // Summary once it is cleared
	streak     streak
	timeout    time.Duration
	check      func(context.Context, *probe) Reading // nil where readings come from elsewhere
	wake       chan struct{}                         // asks for a reading before its time
	raiseAfter func() int                            // failures that make an alarm
	unit       string                                // whose changes trigger a reading; "" for none
	stopping   func(context.Context) bool            // whether this watchdog is being stopped
}

// streak is what consecutive failures and passes are counted in, and selects the
// limits that apply to them.
type streak int

const (
	ofComponent streak = iota // probes, by Thresholds.Component
	ofHost                    // probes, by Thresholds.Host
	ofPage                    // inspections of a page, by Thresholds.Page
	once                      // inspections that need no second one
	reported                  // faults that others report, and that need not fail twice
)

func (s streak) limits(c Config) Limits {
	l := Limits{c.Component, c.Flap}
	switch s {
	case ofHost:
		l.Streak = c.Host
	case ofPage:
		l.Streak = c.Page
	case once:
		l.Raise, l.Clear = 1, 1
	case reported:
		l.Raise = 1
	}
	return l
}

// String is the noun for one of what is counted.
func (s streak) String() string {
	if s == ofPage || s == once {
		return "inspection"
	}
	return "probe"
}

// readNow asks for a reading before its time.
func (p *probe) readNow() {
	select {
	case p.wake <- struct{}{}:
	default: // requested already
	}
}

type observation struct {
	probe   *probe
	reading Reading
	at      time.Time
	// traceparent is of the request whose report is read, "" for what no report says.
	traceparent string
}

// stoodStill is how much later than due a timer fires when this whole process, or
// its machine, must have stood still.
const stoodStill = time.Second

// run probes at every interval. A check in progress is not begun again: the target
// fails until it answers.
func (p *probe) run(ctx context.Context, interval time.Duration, results chan<- observation) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var answer chan Reading // of the check in progress; nil for none
	var began time.Time
	pace := pace{interval: interval, tick: tick}
	early := false // triggered before the next tick
	for {
		var r Reading
		if answer == nil {
			answer, began = p.begin(ctx), time.Now()
			r, answer = p.wait(ctx, answer, began)
		} else {
			select {
			case <-answer: // too late to count
				answer = nil
				continue
			default:
				r = p.unanswered("no answer since %s, %s allowed", libra.FormatDuration(time.Since(began)), libra.FormatDuration(p.timeout))
			}
		}
		if r.Verdict == Fail && pace.fails < p.raiseAfter() && p.stopping(ctx) {
			r = Reading{Evidence: "this watchdog is being stopped, and what it watches may be, too"}
		}
		// A failure that is seen early counts at once; all else counts at its tick,
		// so that a streak of readings lasts as long as it should.
		if !early || r.Verdict == Fail && pace.fails == 0 {
			pace.record(r.Verdict, p.raiseAfter(), early)
			select {
			case <-ctx.Done():
				return
			case results <- observation{p, r, time.Now(), ""}:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			early = false
		case <-p.wake:
			early = true
		}
	}
}

// pace is how soon a target is probed again: sooner while failures add up to an
// alarm, so that three of them, a second apart, raise it within 2.5 s of the
// fault and not of the first probe after it.
type pace struct {
	interval time.Duration
	tick     *time.Ticker
	fails    int // in a row
	fast     bool
}

// record counts a reading; again restarts the time to the next one.
func (a *pace) record(v Verdict, raise int, again bool) {
	switch v {
	case Pass:
		a.fails = 0
	case Fail:
		a.fails++
	}
	hasty := a.fails > 0 && a.fails < min(raise, 5)
	if hasty {
		a.tick.Reset(a.interval * 2 / 3)
	} else if a.fast || again {
		a.tick.Reset(a.interval)
	}
	a.fast = hasty
}

// begin runs the check in a goroutine of its own, because one that hangs in the
// kernel ignores its context.
func (p *probe) begin(ctx context.Context) chan Reading {
	answer := make(chan Reading, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, p.timeout)
		defer cancel()
		answer <- p.check(ctx, p)
	}()
	return answer
}

// wait returns the answer and nil, or a failure and the channel on which the
// answer may still come.
func (p *probe) wait(ctx context.Context, answer chan Reading, began time.Time) (r Reading, open chan Reading) {
	// The check has the timeout, too, and its own error has more details.
	bound := time.NewTimer(p.timeout + p.timeout/10)
	defer bound.Stop()
	select {
	case r = <-answer:
	case <-ctx.Done():
	case <-bound.C:
		r, open = p.unanswered("no answer within %s", libra.FormatDuration(p.timeout)), answer
	}
	if took := time.Since(began); r.Verdict == Fail && took > p.timeout+stoodStill {
		r = Reading{Evidence: fmt.Sprintf("the watchdog itself stood still for %s", libra.FormatDuration(took))}
	}
	return r, open
}

func (p *probe) fail(format string, args ...any) Reading {
	return Reading{Verdict: Fail, Severity: p.alarm.Severity, Evidence: fmt.Sprintf(format, args...)}
}

// failByBus is a failure that the alarm of the bus, while raised, explains.
func (p *probe) failByBus(format string, args ...any) Reading {
	r := p.fail(format, args...)
	r.Cause = busAlarm
	return r
}

// unanswered is a failure of the target, or unclear where the probe asks through
// another one.
func (p *probe) unanswered(format string, args ...any) Reading {
	if p.indirect {
		return Reading{Evidence: fmt.Sprintf(format, args...)}
	}
	return p.fail(format, args...)
}

// judge turns a check's error into a reading.
func (p *probe) judge(ctx context.Context, err error) Reading {
	switch {
	case err == nil:
		return Reading{Verdict: Pass}
	case errors.Is(err, context.Canceled) && !errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Reading{Evidence: "the watchdog is stopping"}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOMEM):
		return Reading{Evidence: "the watchdog cannot ask: " + err.Error()}
	case errors.Is(err, context.DeadlineExceeded):
		return p.fail("no answer within %s", libra.FormatDuration(p.timeout))
	}
	return p.fail("%v", err)
}
