// Package publish publishes the watchdog's transitions of alarms, and its notes, on
// the bus, in order and for as long as it takes. While the bus is away it sends the
// transitions to the notifier directly, which drops them when the bus delivers them
// later.
//
// It saves what is pending, and the newest transition of every alarm, before it
// publishes them, so that kill -9 loses none: a transition that is published twice
// has one id.
package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"libra/pkg/libra"
	"libra/pkg/watchdog/asyncfile"
)

// Bus is what a publisher needs of bus.Conn.
type Bus interface {
	PublishAlarm(ctx context.Context, t libra.Transition) error
	PublishNote(ctx context.Context, n libra.Note) error
}

// Publisher holds the transitions that the bus has not stored yet, in order, and
// the newest of every alarm. Make it with New. Its methods may be called
// concurrently.
type Publisher struct {
	bus       Bus
	direct    func(context.Context, libra.Transition) error // to the notifier
	log       *slog.Logger
	file      asyncfile.File
	known     bool // the file was there: every alarm raised before is known
	wake      chan struct{}
	wakeNotes chan struct{} // a note is pending

	mu    sync.Mutex
	state state // under mu
	// The changes of a batch are written once, and published after that.
	batching bool      // under mu
	unsaved  bool      // under mu; the batch has changed the state
	saved    time.Time // under mu
}

// state is what alarms.json holds.
type state struct {
	Newest  map[string]libra.Transition `json:"newest"` // by alarm
	Pending []pending                   `json:"waiting"`
	// Notes are pending separately: one that cannot be published delays no alarm.
	Notes []libra.Note `json:"notes,omitempty"`
	// Sources are the components that name the troubles that alarms are about.
	Sources map[string]string `json:"sources,omitempty"`
}

// pending is a transition that the bus has not stored yet.
type pending struct {
	Transition libra.Transition `json:"transition"`
	Sent       bool             `json:"told"` // the notifier has it
}

// maxPending bounds what is pending.
const maxPending = 1000

// retryPause is the pause before the next attempt.
const retryPause = 250 * time.Millisecond

// New makes a publisher that saves its state in file and goes on with what an
// earlier one saved there; "" saves nothing. While the bus is away, it passes
// transitions to direct.
func New(bus Bus, direct func(context.Context, libra.Transition) error, log *slog.Logger, file string) *Publisher {
	p := &Publisher{
		bus: bus, direct: direct, log: log, file: asyncfile.File{Path: file, Sync: true, Log: log},
		wake: make(chan struct{}, 1), wakeNotes: make(chan struct{}, 1),
	}
	p.known = p.file.Load(&p.state)
	if p.state.Newest == nil {
		p.state.Newest = map[string]libra.Transition{}
	}
	if p.state.Sources == nil {
		p.state.Sources = map[string]string{}
	}
	return p
}

// Known reports whether there was a saved state: every alarm raised before is known
// then.
func (p *Publisher) Known() bool { return p.known }

// SetSource stores which component names a trouble; "" forgets it.
func (p *Publisher) SetSource(alarm, component string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state.Sources[alarm] {
	case component:
		return
	default:
		p.state.Sources[alarm] = component
	}
	if component == "" {
		delete(p.state.Sources, alarm)
	}
	if p.batching {
		p.unsaved = true
		return
	}
	p.file.Save(p.state)
}

// Sources returns which component names which trouble.
func (p *Publisher) Sources() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.state.Sources)
}

// Newest is the last transition of an alarm.
func (p *Publisher) Newest(alarm string) (libra.Transition, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.state.Newest[alarm]
	return t, ok
}

// Adopt stores a transition that is on the bus already, if it is newer.
func (p *Publisher) Adopt(t libra.Transition) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if own, ok := p.state.Newest[t.Alarm.ID]; ok && !t.At.After(own.At) {
		return false
	}
	p.state.Newest[t.Alarm.ID] = t
	p.file.Save(p.state)
	return true
}

// WithPrefix lists the newest transitions of alarms whose ids start with prefix.
func (p *Publisher) WithPrefix(prefix string) (list []libra.Transition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, t := range p.state.Newest {
		if strings.HasPrefix(id, prefix) {
			list = append(list, t)
		}
	}
	return list
}

// Forget drops what is known of alarms that are over; with the next change it
// leaves the file, too.
func (p *Publisher) Forget(ids []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		delete(p.state.Newest, id)
	}
}

// Add queues a transition. When it returns, the transition is saved, unless a
// batch has begun.
func (p *Publisher) Add(t libra.Transition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Pending) == maxPending {
		lost := p.state.Pending[0].Transition
		p.log.Error("too many alarms are pending, the oldest is dropped", "alarm", lost.Alarm.ID, "state", lost.Alarm.State, "at", lost.At)
		p.state.Pending = p.state.Pending[1:]
	}
	p.state.Newest[t.Alarm.ID] = t
	p.state.Pending = append(p.state.Pending, pending{Transition: t})
	if p.batching {
		p.unsaved = true
		return
	}
	p.saveAndWake()
}

// BeginBatch defers the saving and publishing of what is added, and the saving of
// sources, to EndBatch.
func (p *Publisher) BeginBatch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batching = true
}

// EndBatch ends what BeginBatch began.
func (p *Publisher) EndBatch() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.batching = false; {
	case p.unsaved:
		p.unsaved = false
		p.saveAndWake()
	case len(p.state.Pending) > 0:
		p.wakeUp()
	}
}

// saveAndWake saves the state and publishes what is pending. Callers hold mu.
func (p *Publisher) saveAndWake() {
	p.file.Save(p.state)
	p.saved = time.Now()
	p.wakeUp()
}

// wakeUp has Run look for what is pending.
func (p *Publisher) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Restore publishes again what was raised before and is missing in onBus, as the
// bus has lost it. It has the same id, so that it is not notified again.
func (p *Publisher) Restore(onBus map[string]string, before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.state.Pending {
		onBus[w.Transition.Alarm.ID] = w.Transition.ID // it is pending
	}
	for id, t := range p.state.Newest {
		if _, there := onBus[id]; !there && t.Alarm.State == libra.Raised && t.At.Before(before) {
			p.log.Info("bus has lost an alarm, publishing it again", "alarm", id, "transition", t.ID)
			p.state.Pending = append(p.state.Pending, pending{t, true})
		}
	}
	p.saveAndWake()
}

// Run publishes alarms until ctx ends.
func (p *Publisher) Run(ctx context.Context) {
	for ctx.Err() == nil {
		head, ok := p.head()
		if !ok {
			select {
			case <-ctx.Done():
			case <-p.wake:
			}
			continue
		}
		err := p.bus.PublishAlarm(ctx, head)
		if err == nil {
			p.done(head.ID)
			continue
		}
		p.log.Debug("cannot publish an alarm, retrying", "alarm", head.Alarm.ID, "err", err)
		p.sendDirect(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

func (p *Publisher) head() (libra.Transition, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Pending) == 0 || p.batching {
		return libra.Transition{}, false
	}
	return p.state.Pending[0].Transition, true
}

func (p *Publisher) done(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.state.Pending) > 0 && p.state.Pending[0].Transition.ID == id {
		p.state.Pending = p.state.Pending[1:]
		// What is published again after a crash has the same id, and is dropped.
		if now := time.Now(); len(p.state.Pending) == 0 || now.Sub(p.saved) > retryPause {
			p.file.Save(p.state)
			p.saved = now
		}
	}
}

// sendDirect sends the notifier what it does not have, in order.
func (p *Publisher) sendDirect(ctx context.Context) {
	for {
		t, ok := p.nextDirect()
		if !ok {
			return
		}
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := p.direct(try, t)
		cancel()
		if err != nil {
			p.log.Debug("cannot send an alarm to the notifier, retrying", "alarm", t.Alarm.ID, "err", err)
			return
		}
		p.log.Info("bus is away, alarm sent to the notifier directly", "alarm", t.Alarm.ID, "state", t.Alarm.State)
		p.markSent(t.ID)
	}
}

func (p *Publisher) nextDirect() (libra.Transition, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.state.Pending {
		if !w.Sent && !p.batching {
			return w.Transition, true
		}
	}
	return libra.Transition{}, false
}

func (p *Publisher) markSent(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.state.Pending {
		if p.state.Pending[i].Transition.ID == id {
			p.state.Pending[i].Sent = true
		}
	}
	p.file.Save(p.state)
}

// Socket returns a function that posts transitions to a unix socket.
func Socket(socket string) func(context.Context, libra.Transition) error {
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	return func(ctx context.Context, t libra.Transition) error {
		data, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("encode transition: %w", err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://notifier/alarm", bytes.NewReader(data))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("send to notifier at %q: %w", socket, err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("send to notifier at %q: it answered %s", socket, resp.Status)
		}
		return nil
	}
}
