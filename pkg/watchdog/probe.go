package watchdog

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"libra/pkg/libra"
)

// probe is one question to one target. It does not change once it is made.
type probe struct {
	byWay     bool        // asks by way of another target, whose fault it is when no answer comes
	alarm     libra.Alarm // ID, Scope, Target, Summary and Runbook of its alarm
	recovered string      // Summary once it is cleared
	rows      rows
	timeout   time.Duration
	check     func(context.Context, *probe) Reading // nil where readings come by themselves
	wake      chan struct{}                         // asks for a reading before its time
	raise     func() int                            // failures that make an alarm
	unit      string                                // whose changes ask so; "" for none
	leaving   func(context.Context) bool            // whether all of this is being stopped
}

// rows says what failures and passes in a row are counted in.
type rows int

const (
	onePart rows = iota // probes, by Thresholds.Component
	oneHost             // probes, by Thresholds.Host
	onePage             // inspections of a page, by Thresholds.Page
	once                // inspections that need no second one
	stated              // what others have found out, and need not show twice
)

func (r rows) limits(c Config) Limits {
	l := Limits{c.Component, c.Flap}
	switch r {
	case oneHost:
		l.Rows = c.Host
	case onePage:
		l.Rows = c.Page
	case once:
		l.Raise, l.Clear = 1, 1
	case stated:
		l.Raise = 1
	}
	return l
}

func (r rows) String() string {
	if r == onePage || r == once {
		return "inspections"
	}
	return "probes"
}

// now asks for a reading before its time.
func (p *probe) now() {
	select {
	case p.wake <- struct{}{}:
	default: // asked already
	}
}

type observation struct {
	probe   *probe
	reading Reading
	at      time.Time
}

// held is how much later than asked for a timer may fire before we have to
// suppose that this whole process, or its machine, stood still.
const held = time.Second

// watch probes at every interval. A probe that is still under way is not
// begun again: the target fails until it answers.
func (p *probe) watch(ctx context.Context, interval time.Duration, results chan<- observation) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var answer chan Reading // of the probe under way; nil when there is none
	var began time.Time
	pace := pace{interval: interval, tick: tick}
	early := false // woken, it is not yet time
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
				r = p.unanswered("no answer since %s, %s allowed", time.Since(began).Round(100*time.Millisecond), p.timeout)
			}
		}
		if r.Verdict == Fail && pace.fails < p.raise() && p.leaving(ctx) {
			r = Reading{Evidence: "this watchdog is being stopped, and what it watches may be, too"}
		}
		// A failure that is seen early is news; all else comes in its time, so
		// that a row of readings lasts as long as it should.
		if !early || r.Verdict == Fail && pace.fails == 0 {
			pace.keep(r.Verdict, p.raise(), early)
			select {
			case <-ctx.Done():
				return
			case results <- observation{p, r, time.Now()}:
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

// pace is how soon a target is asked again: sooner while failures add up to an
// alarm, so that three of them, a second apart, are told within 2.5 s of the
// fault and not of the first question after it.
type pace struct {
	interval time.Duration
	tick     *time.Ticker
	fails    int // in a row
	hasty    bool
}

// keep takes in a reading; again says that the time to the next one starts
// with it.
func (a *pace) keep(v Verdict, raise int, again bool) {
	switch v {
	case Pass:
		a.fails = 0
	case Fail:
		a.fails++
	}
	hasty := a.fails > 0 && a.fails < min(raise, 5)
	if hasty {
		a.tick.Reset(a.interval * 2 / 3)
	} else if a.hasty || again {
		a.tick.Reset(a.interval)
	}
	a.hasty = hasty
}

// begin runs the check beside us, because one that hangs in the kernel
// listens to no context.
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
	// The check knows the timeout too, and says more than we can.
	bound := time.NewTimer(p.timeout + p.timeout/10)
	defer bound.Stop()
	select {
	case r = <-answer:
	case <-ctx.Done():
	case <-bound.C:
		r, open = p.unanswered("no answer within %s", p.timeout), answer
	}
	if took := time.Since(began); r.Verdict == Fail && took > p.timeout+held {
		r = Reading{Evidence: fmt.Sprintf("the watchdog itself stood still for %s", took.Round(100*time.Millisecond))}
	}
	return r, open
}

func (p *probe) fail(format string, args ...any) Reading {
	return Reading{Verdict: Fail, Severity: p.alarm.Severity, Evidence: fmt.Sprintf(format, args...)}
}

// explained is a failure that a bus which is away would explain.
func (p *probe) explained(format string, args ...any) Reading {
	r := p.fail(format, args...)
	r.Cause = busAlarm
	return r
}

// unanswered is a failure of the target, or says nothing about it where the
// question goes by way of another one.
func (p *probe) unanswered(format string, args ...any) Reading {
	if p.byWay {
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
		return p.fail("no answer within %s", p.timeout)
	}
	return p.fail("%v", err)
}
