package notifier

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// Entry is an open alarm in a notification log.
type Entry = entry

// Stages is the pipeline of a channel "ops" up to its send stage.
type Stages struct{ p *pipeline }

// NewStages makes the stages with an empty log. The policy holds f and the notes.
func NewStages(f rules.File, list ...libra.Note) Stages {
	log := slog.New(slog.DiscardHandler)
	policy := newPolicy(&mirror{}, f, log)
	for _, n := range list {
		policy.addNote(n)
	}
	return Stages{newPipeline("ops", policy, loadNotificationLog(log, &mirror{}), log)}
}

// Check is what one stage says about an open alarm: whether it passes, and the
// reason if it does not.
func (s Stages) Check(name string, e Entry, now time.Time) (passes bool, reason string) {
	stage := map[string]stage{"route": s.p.route, "inhibit": s.p.inhibit, "silence": s.p.silence, "group": s.p.group, "deduplicate": s.p.dedup}[name]
	if why := stage.check(newCandidate(&e, now)); why != nil {
		return false, why.reason
	}
	return true, ""
}

// CheckAll returns the stage that suppresses an open alarm, "" for none.
func (s Stages) CheckAll(e Entry, now time.Time) string {
	if why := s.p.check(newCandidate(&e, now)); why != nil {
		return why.stage
	}
	return ""
}

// Open and Close change the notification log.
func (s Stages) Open(e Entry) { s.p.nflog.Open[e.Now.Alarm.ID] = &e }

// Close says when an alarm was cleared.
func (s Stages) Close(t libra.Transition) { s.p.nflog.close(t) }

// Group says when the first alarm of a group was passed on.
func (s Stages) Group(a libra.Alarm, at time.Time) {
	s.p.group.start(candidate{&entry{Now: libra.Transition{Alarm: a}}, firstTime, at})
}

// Filter returns the ids of the transitions that are to be sent.
func (s Stages) Filter(now time.Time, list ...libra.Transition) []string {
	var batch []notification
	for _, t := range list {
		batch = append(batch, notification{Transition: t})
	}
	return ids(s.p.filter(batch, now))
}

// Due returns the ids of what is due, and whether they are reminders.
func (s Stages) Due(now time.Time) (list []string, reminders bool) {
	m := s.p.due(now)
	return ids(m), m.Kind == reminded
}

// Send records transitions as sent.
func (s Stages) Send(at time.Time, list ...libra.Transition) {
	m := message{Kind: news, at: at}
	for _, t := range list {
		m.Notifications = append(m.Notifications, notification{Transition: t})
	}
	s.p.nflog.record(m, place{})
}

func ids(m message) (list []string) {
	for _, n := range m.Notifications {
		list = append(list, n.Transition.ID)
	}
	return list
}

// Accept queues a transition in every channel, as the socket does.
func (n *Notifier) Accept(t libra.Transition) (err error) {
	for _, ch := range n.running() {
		err = errors.Join(err, ch.direct.accept(t))
	}
	return err
}

// Ahead counts the alarms of which a channel had transitions by the socket that
// the bus has not delivered.
func (n *Notifier) Ahead(channel string) (alarms int) {
	for _, ch := range n.running() {
		if ch.name == channel {
			ch.nflog.mu.Lock()
			alarms += len(ch.nflog.Ahead)
			ch.nflog.mu.Unlock()
		}
	}
	return alarms
}

// SendWith has every channel call fn in place of its provider, with the words
// of each message and their number.
func (n *Notifier) SendWith(fn func(ctx context.Context, channel, text string, transitions int) error) {
	n.provider = func(c rules.Channel, _ Config, w writer, _ *slog.Logger) (provider, error) {
		return providerFunc(func(ctx context.Context, m message) (receipt, error) {
			return receipt{}, fn(ctx, c.Name, w.content(m).plain(), len(m.Notifications))
		}), nil
	}
}

type providerFunc func(context.Context, message) (receipt, error)

func (f providerFunc) send(ctx context.Context, m message) (receipt, error) { return f(ctx, m) }

// Refused is the error of a provider that has not accepted a message.
func Refused(reason string, permanent bool) error {
	return &refusal{reason: reason, permanent: permanent}
}

// RefusedMessage is the error of a provider that refuses a message, not the channel.
func RefusedMessage(reason string) error {
	return &refusal{reason: reason, permanent: true, message: true}
}

// ShoutrrrSays is what judgeShout makes of an error.
func ShoutrrrSays(said string) string {
	switch no := refused(judgeShout(errors.New(said), "generic://x")); {
	case no == nil:
		return "unknown"
	case no.message:
		return "message"
	case no.permanent:
		return "permanent"
	}
	return "passing"
}

// Scrub is scrub.
func Scrub(text, raw string) string { return scrub(text, raw) }

// Notification is what a message is about.
type Notification = notification

// Written is a message as Slack and as a mail get it.
func Written(cfg Config, how string, at time.Time, repeat bool, list ...Notification) (any, string) {
	cfg = cfg.withDefaults()
	w := newWriter(cfg, newPolicy(&mirror{}, cfg.Rules, slog.New(slog.DiscardHandler)))
	l := w.content(message{Kind: kind(how), Notifications: list, Repeat: repeat, at: at})
	return l.slackMessage(), l.plain()
}

// Hooked is what a webhook gets about a notification beside its transition.
func Hooked(cfg Config, at time.Time, n Notification) string {
	cfg = cfg.withDefaults()
	h := &webhook{writer: newWriter(cfg, newPolicy(&mirror{}, cfg.Rules, slog.New(slog.DiscardHandler)))}
	t := h.transition(message{Kind: news, at: at}, n)
	t.Transition = libra.Transition{}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	_ = enc.Encode(struct {
		Text       string `json:"text"`
		Affected   string `json:"affected"`
		First      string `json:"first"`
		AlarmURL   string `json:"alarm_url"`
		ReportURL  string `json:"report_url"`
		RunbookURL string `json:"runbook_url"`
	}{t.Text, t.Affected, t.First, t.AlarmURL, t.ReportURL, t.RunbookURL}) // a builder takes all
	return strings.TrimSpace(b.String())
}
