package notifier

import (
	"log/slog"
	"maps"
	"slices"
	"time"

	"libra/pkg/libra"
)

// pipeline is what the notifications of one channel move through, one way:
//
//	bus, socket ----> receive --.
//	                            >--> route --> inhibit --> silence --> group --> deduplicate --> send --> log
//	suppressed or open ---------'
//	alarms that are due
//
// filter and due are the two ways in; both return the message for the send
// stage (sender). A notification that a stage suppresses stays in the
// notification log, from where due takes it again until it passes or the alarm
// is over. One goroutine at a time runs a pipeline.
type pipeline struct {
	log   *slog.Logger
	nflog *notificationLog

	route   routeStage
	inhibit inhibitStage
	silence silenceStage
	group   groupStage
	dedup   dedupStage
}

func newPipeline(channel string, p *policy, nflog *notificationLog, log *slog.Logger) *pipeline {
	return &pipeline{
		log: log, nflog: nflog,
		route: routeStage{channel, p}, inhibit: inhibitStage{p, nflog}, silence: silenceStage{p}, group: groupStage{p, nflog}, dedup: dedupStage{p},
	}
}

// check moves a candidate through the stages before send. nflog.mu is held.
func (p *pipeline) check(c candidate) *suppression {
	for _, s := range []stage{p.route, p.inhibit, p.silence, p.group, p.dedup} {
		if why := s.check(c); why != nil {
			return why
		}
	}
	return nil
}

// filter moves a batch of transitions through the stages and returns those that
// are to be sent. Suppressed ones are in the notification log when it returns.
func (p *pipeline) filter(batch []notification, now time.Time) message {
	p.nflog.mu.Lock()
	defer p.nflog.mu.Unlock()
	r := round{p, now, map[string]bool{}, map[string]string{}}
	received := false
	var passed []notification
	for _, n := range batch {
		if !p.nflog.receive(&n) {
			continue
		}
		received = true
		if n.Transition.Alarm.State == libra.Cleared {
			passed = append(passed, r.cleared(n)...)
		} else {
			passed = append(passed, r.raised(n)...)
		}
	}
	if received && len(passed) == 0 {
		p.nflog.save() // else the sender saves before its first attempt
	}
	return message{Kind: news, Notifications: passed}
}

// round is one run of filter. It knows what has passed in it, which the log
// learns only once it is sent.
type round struct {
	*pipeline
	now    time.Time
	raises map[string]bool   // alarms that a raise passed of, and no clear after it
	clears map[string]string // the id of the clear that passed, by alarm, until it is raised again
}

func (r *round) raised(n notification) []notification {
	id := n.Transition.Alarm.ID
	e := r.nflog.Open[id]
	if clear := r.clears[id]; e == nil || clear != "" {
		e = &entry{After: clear}
		r.nflog.Open[id] = e
		delete(r.clears, id)
	}
	e.Now = n.Transition
	c := newCandidate(e, r.now)
	if r.raises[id] {
		c.trigger = changed
	}
	if s := r.check(c); s != nil && !r.nflog.full {
		e.Suppressed = s.reason
		r.nflog.handled(e.Now)
		r.log.Info("notification suppressed", "alarm", id, "transition", e.Now.ID, "stage", s.stage, "why", s.reason)
		return nil
	}
	r.group.start(c)
	r.raises[id] = true
	n.Post = e.Post
	return []notification{n}
}

// cleared passes a clear with the raise before it, where that was suppressed.
func (r *round) cleared(n notification) (passed []notification) {
	t := n.Transition
	id := t.Alarm.ID
	e := r.nflog.Open[id]
	if !r.raises[id] {
		if r.dropsClear(e, t, r.now) {
			r.nflog.handled(t)
			r.nflog.close(t)
			r.log.Info("notification suppressed", "alarm", id, "transition", t.ID, "stage", "deduplicate", "why", "its raise was not sent")
			return nil
		}
		if e != nil && e.Notified == "" {
			passed = append(passed, notification{Transition: e.Now, Suppressed: e.Suppressed, Post: e.Post})
		}
	}
	if e != nil {
		n.Post, n.Inhibits = e.Post, r.nflog.inhibited()[id]
	}
	r.raises[id], r.clears[id] = false, t.ID
	return append(passed, n)
}

// due returns what was suppressed and passes now, or else the reminders that are
// due, or an empty message.
func (p *pipeline) due(now time.Time) message {
	p.nflog.mu.Lock()
	defer p.nflog.mu.Unlock()
	var late, reminders []notification
	for _, e := range slices.SortedFunc(maps.Values(p.nflog.Open), func(a, b *entry) int { return a.Now.At.Compare(b.Now.At) }) {
		c := newCandidate(e, now)
		n := notification{Transition: e.Now, Suppressed: e.Suppressed, Post: e.Post, LastSent: e.LastSent}
		switch s := p.check(c); {
		case s != nil && c.trigger == unchanged: // needs no reminder
		case s != nil:
			e.Suppressed = s.reason
		case c.trigger == unchanged:
			reminders = append(reminders, n)
		default:
			p.group.start(c)
			late = append(late, n)
		}
	}
	p.group.prune(now)
	if len(late) > 0 {
		return message{Kind: news, Notifications: late}
	}
	if len(reminders) > 0 {
		inhibited := p.nflog.inhibited()
		for i := range reminders {
			reminders[i].Inhibits = inhibited[reminders[i].Transition.Alarm.ID]
		}
	}
	return message{Kind: reminded, Notifications: reminders}
}
