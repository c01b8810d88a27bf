package watchdog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"libra/pkg/libra"
)

// outbox holds the transitions that the bus has not taken yet, in order, and
// the newest of every alarm. While the bus is away it hands them to the
// notifier, which drops them when they come by the bus later.
type outbox struct {
	deps  Deps
	file  keeper
	known bool // the file was there: nothing was raised that we do not know of
	wake  chan struct{}
	noted chan struct{} // a note waits

	mu   sync.Mutex
	book book // under mu
	// held and kept are under mu: many changes are written once, and nobody is
	// told before.
	held bool
	kept time.Time
}

// book is what alarms.json holds.
type book struct {
	Newest  map[string]libra.Transition `json:"newest"` // by alarm
	Waiting []waiting                   `json:"waiting"`
	// Notes wait beside them: one that cannot be told holds up no alarm.
	Notes []libra.Note `json:"notes,omitempty"`
	// Sources say which component names the trouble that an alarm is about.
	Sources map[string]string `json:"sources,omitempty"`
}

type waiting struct {
	Transition libra.Transition `json:"transition"`
	Told       bool             `json:"told"` // the notifier has it
}

// maxWaiting bounds what waits for the bus.
const maxWaiting = 1000

// again is the pause before the bus is tried again.
const again = 250 * time.Millisecond

func newOutbox(deps Deps, file string) *outbox {
	o := &outbox{deps: deps, file: keeper{file: file, sync: true, log: deps.Log}, wake: make(chan struct{}, 1), noted: make(chan struct{}, 1)}
	o.known = o.file.load(&o.book)
	if o.book.Newest == nil {
		o.book.Newest = map[string]libra.Transition{}
	}
	if o.book.Sources == nil {
		o.book.Sources = map[string]string{}
	}
	return o
}

// source keeps who names a trouble; "" forgets it.
func (o *outbox) source(alarm, component string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch o.book.Sources[alarm] {
	case component:
		return
	default:
		o.book.Sources[alarm] = component
	}
	if component == "" {
		delete(o.book.Sources, alarm)
	}
	o.file.keep(o.book)
}

// sources copies out who names which trouble.
func (o *outbox) sources() map[string]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.book.Sources)
}

// newest is the last transition of an alarm.
func (o *outbox) newest(alarm string) (libra.Transition, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.book.Newest[alarm]
	return t, ok
}

// adopt takes over a transition that is on the bus already, if it is news.
func (o *outbox) adopt(t libra.Transition) (news bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if own, ok := o.book.Newest[t.Alarm.ID]; ok && !t.At.After(own.At) {
		return false
	}
	o.book.Newest[t.Alarm.ID] = t
	o.file.keep(o.book)
	return true
}

// begin lists the newest transitions of alarms whose ids start with prefix.
func (o *outbox) begin(prefix string) (list []libra.Transition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, t := range o.book.Newest {
		if strings.HasPrefix(id, prefix) {
			list = append(list, t)
		}
	}
	return list
}

// forget drops what is known of alarms that are over; with the next change it
// leaves the file, too.
func (o *outbox) forget(ids []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range ids {
		delete(o.book.Newest, id)
	}
}

// add keeps a transition for telling. When it returns, a restart knows of it.
func (o *outbox) add(t libra.Transition) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.book.Waiting) == maxWaiting {
		lost := o.book.Waiting[0].Transition
		o.deps.Log.Error("too many alarms wait for the bus, the oldest is dropped", "alarm", lost.Alarm.ID, "state", lost.Alarm.State, "at", lost.At)
		o.book.Waiting = o.book.Waiting[1:]
	}
	o.book.Newest[t.Alarm.ID] = t
	o.book.Waiting = append(o.book.Waiting, waiting{Transition: t})
	if !o.held {
		o.tellKept()
	}
}

// hold has what is added kept, and told, with release.
func (o *outbox) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = true
}

func (o *outbox) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held = false; len(o.book.Waiting) > 0 {
		o.tellKept()
	}
}

// tellKept is called with mu held.
func (o *outbox) tellKept() {
	o.file.keep(o.book)
	o.kept = time.Now()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// restore gives back to the bus what was raised before and the bus has lost, as
// onBus says. It is no news: whoever was told knows the id.
func (o *outbox) restore(onBus map[string]string, before time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.book.Waiting {
		onBus[w.Transition.Alarm.ID] = w.Transition.ID // it is on its way
	}
	for id, t := range o.book.Newest {
		if _, there := onBus[id]; !there && t.Alarm.State == libra.Raised && t.At.Before(before) {
			o.deps.Log.Info("bus has lost an alarm, putting it back", "alarm", id, "transition", t.ID)
			o.book.Waiting = append(o.book.Waiting, waiting{t, true})
		}
	}
	o.file.keep(o.book)
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// run tells until ctx ends.
func (o *outbox) run(ctx context.Context) {
	for ctx.Err() == nil {
		head, ok := o.head()
		if !ok {
			select {
			case <-ctx.Done():
			case <-o.wake:
			}
			continue
		}
		err := o.deps.Bus.PublishAlarm(ctx, head)
		if err == nil {
			o.done(head.ID)
			continue
		}
		o.deps.Log.Debug("bus did not take an alarm, trying again", "alarm", head.Alarm.ID, "err", err)
		o.tellPast(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (o *outbox) head() (libra.Transition, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.book.Waiting) == 0 || o.held {
		return libra.Transition{}, false
	}
	return o.book.Waiting[0].Transition, true
}

func (o *outbox) done(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.book.Waiting) > 0 && o.book.Waiting[0].Transition.ID == id {
		o.book.Waiting = o.book.Waiting[1:]
		// What is told again after a crash has the same id, and is dropped.
		if now := time.Now(); len(o.book.Waiting) == 0 || now.Sub(o.kept) > again {
			o.file.keep(o.book)
			o.kept = now
		}
	}
}

// tellPast hands the notifier what it does not have, in order.
func (o *outbox) tellPast(ctx context.Context) {
	for {
		t, ok := o.untold()
		if !ok {
			return
		}
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := o.deps.Tell(try, t)
		cancel()
		if err != nil {
			o.deps.Log.Debug("notifier did not take an alarm, trying again", "alarm", t.Alarm.ID, "err", err)
			return
		}
		o.deps.Log.Info("bus is away, told the notifier directly", "alarm", t.Alarm.ID, "state", t.Alarm.State)
		o.told(t.ID)
	}
}

func (o *outbox) untold() (libra.Transition, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, w := range o.book.Waiting {
		if !w.Told && !o.held {
			return w.Transition, true
		}
	}
	return libra.Transition{}, false
}

func (o *outbox) told(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.book.Waiting {
		if o.book.Waiting[i].Transition.ID == id {
			o.book.Waiting[i].Told = true
		}
	}
	o.file.keep(o.book)
}

// socketTeller posts transitions to a unix socket.
func socketTeller(socket string) func(context.Context, libra.Transition) error {
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
			return fmt.Errorf("tell notifier at %q: %w", socket, err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("tell notifier at %q: it answered %s", socket, resp.Status)
		}
		return nil
	}
}
