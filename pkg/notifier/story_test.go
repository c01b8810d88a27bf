package notifier_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

// story is a notifier in a bubble where time passes at once: its bus and its
// provider are functions, everything between them is real.
type story struct {
	t     *testing.T
	began time.Time
	cfg   notifier.Config
	n     *notifier.Notifier
	end   func()

	mu       sync.Mutex
	stream   []libra.Transition // under mu
	acked    map[string]int     // under mu; by durable
	notes    []libra.Note       // under mu
	sent     []string           // under mu; "+1m0s ops: first line"
	texts    []string           // under mu; the same messages, whole
	timeline []libra.Note       // under mu
	answers  []error            // under mu; of the next calls
	changed  chan struct{}      // under mu; closed when there is something new

	bad         string        // under mu; a text that the provider refuses for good, "" for none
	transitions int           // under mu; sent
	notesTake   time.Duration // until the bus delivers them

	delivered map[string]int  // under mu; deliveries of each transition, by durable and id
	process   int             // under mu; grows with each kill: what an older process does has no effect
	killAt    func(step) bool // under mu; asked at each step, kills the process there
}

// step is one of those that a message goes through outside of the pipeline.
type step string

const (
	delivering step = "the bus has delivered a batch, the pipeline has not seen it"
	calling    step = "the provider is called, and has not accepted the message"
	answering  step = "the provider has accepted the message, the channel does not know"
	acking     step = "the pipeline is done with a batch, the bus does not know"
	acked      step = "the bus has the acknowledgement of a batch"
)

// reached kills the process at a step, if it is to be killed there. s.mu is held.
func (s *story) reached(at step) {
	if s.killAt != nil && s.killAt(at) {
		s.kill()
	}
}

// kill is kill -9: the next process finds the files as they are now, and nothing
// that this one still does has an effect. s.mu is held.
func (s *story) kill() {
	s.process++
	s.killAt = nil
	runtime := filepath.Join(s.t.TempDir(), "copy")
	if err := os.CopyFS(runtime, os.DirFS(s.cfg.Runtime)); err != nil {
		s.t.Error(err)
	}
	s.cfg.Runtime, s.cfg.State = runtime, s.t.TempDir()
}

// wasKilled says whether this process is not the one of that number any more.
// s.mu is held.
func (s *story) wasKilled(process int) bool { return s.process != process }

func newStory(t *testing.T, file string) *story {
	f, err := rules.Parse("alarms.toml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return &story{
		t: t, began: time.Now(), acked: map[string]int{}, delivered: map[string]int{}, changed: make(chan struct{}),
		cfg: notifier.Config{Rules: f, State: t.TempDir(), Runtime: t.TempDir(), Host: "box"},
	}
}

const oneChannel = "[[channel]]\nname = \"ops\"\ntype = \"slack\"\ncredential = \"x\"\n"

// errKilled is what a process that was killed gets from everything it calls.
var errKilled = errors.New("killed")

// run starts the notifier; stop is as good as a kill.
func (s *story) run() {
	s.n = notifier.New(s.cfg, notifier.Deps{Bus: s, Log: slog.New(slog.NewTextHandler(s.t.Output(), nil))})
	process := s.process
	s.n.SendWith(func(ctx context.Context, channel, text string, transitions int) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.wasKilled(process) {
			s.reached(calling)
		}
		if s.wasKilled(process) {
			return errKilled
		}
		if s.bad != "" && strings.Contains(text, s.bad) {
			return refuses()
		}
		if len(s.answers) > 0 {
			err := s.answers[0]
			if s.answers = s.answers[1:]; err != nil {
				return err
			}
		}
		s.transitions += transitions
		line, _, _ := strings.Cut(text, "\n")
		s.texts = append(s.texts, text)
		s.sent = append(s.sent, fmt.Sprintf("+%s %s: %s", time.Since(s.began).Truncate(time.Second), channel, line))
		if s.reached(answering); s.wasKilled(process) {
			return errKilled
		}
		return nil
	})
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.n.Run(ctx) }()
	s.end = func() { cancel(); <-done }
	synctest.Wait()
}

func (s *story) restart() { s.end(); s.run() }

func (s *story) DeliverAlarms(ctx context.Context, a bus.AlarmConsumer) error {
	durable, since := a.Durable, a.Since
	s.mu.Lock()
	for _, known := s.acked[durable]; !known && s.acked[durable] < len(s.stream) && s.stream[s.acked[durable]].At.Before(since); {
		s.acked[durable]++
	}
	process := s.process
	s.mu.Unlock()
	for ctx.Err() == nil {
		a.Loop.Allow(time.Second)
		s.mu.Lock()
		waiting, changed := s.stream[s.acked[durable]:], s.changed
		s.mu.Unlock()
		if len(waiting) > 0 {
			s.deliver(ctx, a, waiting[:min(a.Most(len(waiting)), 1000)], process) // as bus.Conn does
			continue
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return ctx.Err()
}

func (s *story) deliver(ctx context.Context, a bus.AlarmConsumer, list []libra.Transition, process int) {
	batch, killed := s.batch(a.Durable, list, process)
	if killed {
		<-ctx.Done()
		return
	}
	err := a.Deliver(ctx, batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wasKilled(process) || err != nil {
		return
	}
	if s.reached(acking); !s.wasKilled(process) {
		s.acked[a.Durable] += len(batch)
		s.reached(acked)
	}
}

func (s *story) batch(durable string, list []libra.Transition, process int) (batch []bus.AlarmDelivery, killed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wasKilled(process) {
		return nil, true
	}
	for _, t := range list {
		s.delivered[durable+" "+t.ID]++
		batch = append(batch, bus.AlarmDelivery{Transition: t, Attempt: s.delivered[durable+" "+t.ID]})
	}
	s.reached(delivering)
	return batch, s.wasKilled(process)
}

// change is called with s.mu held.
func (s *story) change() { close(s.changed); s.changed = make(chan struct{}) }

func (s *story) DropAlarms(_ context.Context, durable string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.acked, durable)
	return nil
}

func (s *story) ConsumeNotes(ctx context.Context, caughtUp func(), fn func(libra.Note)) error {
	time.Sleep(s.notesTake)
	for seen := 0; ctx.Err() == nil; {
		s.mu.Lock()
		news, changed := s.notes[seen:], s.changed
		s.mu.Unlock()
		for _, n := range news {
			fn(n)
		}
		seen += len(news)
		caughtUp()
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
	return ctx.Err()
}

func (s *story) PublishNote(_ context.Context, n libra.Note) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timeline = append(s.timeline, n)
	return nil
}

func (s *story) ServeChannels(context.Context, func(context.Context, string) event.Tried) (func(), error) {
	return func() {}, nil
}

func (s *story) alarm(id string, change ...func(*libra.Alarm)) libra.Alarm {
	a := libra.Alarm{ID: id, Scope: libra.ScopeComponent, Target: id, Severity: libra.Critical, State: libra.Raised, Summary: "is down", Runbook: "#" + id, Since: time.Now()}
	for _, c := range change {
		c(&a)
	}
	return a
}

func (s *story) say(a libra.Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = append(s.stream, libra.Transition{ID: fmt.Sprint(a.ID, "-", len(s.stream)), Alarm: a, At: time.Now(), Host: "box"})
	s.change()
}

func (s *story) clear(a libra.Alarm) {
	a.State, a.Until, a.Summary = libra.Cleared, time.Now(), "is up"
	s.say(a)
}

func (s *story) note(n libra.Note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.ID, n.At = fmt.Sprint("note-", len(s.notes)), time.Now()
	s.notes = append(s.notes, n)
	s.change()
}

func (s *story) silence(id string, m libra.Match, from, until time.Duration) {
	s.note(libra.Note{Kind: libra.Silenced, By: "ann", Silence: &libra.Silence{
		ID: id, Match: m, From: time.Now().Add(from), Until: time.Now().Add(until), By: "ann", Why: "works",
	}})
}

// answer has the provider answer the next calls with errs.
func (s *story) answer(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, errs...)
}

// refuseText has the provider refuse every message with that text in it.
func (s *story) refuseText(bad string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bad = bad
}

// counts returns how many messages were sent, and of how many transitions.
func (s *story) counts() (messages, transitions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent), s.transitions
}

// pass lets time pass.
func (s *story) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

func (s *story) want(lines ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(lines, s.sent); diff != "" {
		s.t.Errorf("sent (-want +got):\n%s", diff)
	}
}

func tale(t *testing.T, file string, do func(t *testing.T, s *story)) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, file)
		s.run()
		do(t, s)
		s.end()
	})
}

// wantTimeline looks at what was put into the timelines of alarms.
func (s *story) wantTimeline(want ...string) {
	s.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var got []string
	ids := map[string]bool{}
	for _, n := range s.timeline {
		got = append(got, fmt.Sprintf("+%v %s: %s", n.At.Sub(s.began), n.Alarm, n.Text))
		if ids[n.ID] || n.Kind != libra.Action {
			s.t.Errorf("note %+v", n)
		}
		ids[n.ID] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("in the timelines (-want +got):\n%s", diff)
	}
}
