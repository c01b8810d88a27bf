package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/libra"
	"libra/pkg/rules"
)

// delivery is a transition that must be told.
type delivery struct {
	Transition libra.Transition `json:"transition"`
	Repeat     bool             `json:"repeat"`           // it may have been told before
	Direct     bool             `json:"direct,omitempty"` // it came by the socket
	// Held says in words why it was withheld until now.
	Held string `json:"held,omitempty"`
	// Post is where the provider has what was told of the alarm before.
	Post place `json:"post,omitzero"`
	// Word is when the last word on it was said, for a reminder.
	Word time.Time `json:"word,omitzero"`
	// Explains is how many alarms it explains, withheld because of it.
	Explains int `json:"explains,omitempty"`
}

// kind of a message.
type kind string

const (
	news     kind = "alarm"
	reminded kind = "reminder"
	trial    kind = "trial"
)

// message is what one call tells: one transition, or a digest of many.
type message struct {
	Kind       kind       `json:"kind"`
	Deliveries []delivery `json:"deliveries"`
	// Repeat says that an earlier attempt may have arrived.
	Repeat bool `json:"repeat"`
	// Cut says that the provider takes no long texts.
	Cut bool `json:"cut,omitempty"`

	at time.Time // of this attempt
}

// receipt is what a provider says when it has taken a message.
type receipt struct {
	answer string
	post   place
}

// sender tells a provider. It returns nil when the provider has taken the
// message, and a *refusal when it surely has not.
type sender interface {
	send(ctx context.Context, m message) (receipt, error)
}

// refusal says that the message did not arrive.
type refusal struct {
	reason string
	after  time.Duration // the provider wants to be left alone so long
	// permanent: only a person can mend it.
	permanent bool
	// large: it may take less of it.
	large bool
}

func (r *refusal) Error() string { return r.reason }

// channel tells one provider, in order, one message at a time.
type channel struct {
	rule rules.Channel // as configured
	name string
	to   sender
	cfg  Config
	desk *desk
	log  *slog.Logger

	gate chan struct{} // held by whoever sends
	next time.Time     // under gate; no message before
	pace time.Duration // under gate; grows while digests follow each other

	trials chan struct{} // held by whoever sends a trial message

	mu      sync.Mutex
	breaker breaker     // under mu
	ledger  *ledger     // under mu
	trouble trouble     // under mu
	direct  directQueue // under mu

	wake         chan struct{} // something came by the socket
	sent, failed atomic.Int64
}

// trouble is what keeps a channel from telling.
type trouble struct {
	reason    string    // of the last attempt; "" when all is well
	since     time.Time // of the first failure in a row
	permanent bool
}

func newChannel(rule rules.Channel, to sender, cfg Config, d *desk, log *slog.Logger) *channel {
	ch := &channel{
		rule: rule, name: rule.Name, to: to, cfg: cfg, desk: d, log: log.With("channel", rule.Name),
		gate: make(chan struct{}, 1), trials: make(chan struct{}, 1), pace: cfg.Pace,
		breaker: breaker{state: closed}, wake: make(chan struct{}, 1),
	}
	ch.ledger = loadLedger(ch.log, cfg.shelf("channel-"+rule.Name+".json"))
	file := ""
	if cfg.Runtime != "" {
		file = filepath.Join(cfg.Runtime, "direct-"+rule.Name+".json")
	}
	ch.direct.load(file, ch.log)
	for _, id := range ch.direct.Told {
		ch.ledger.seen.add(id)
	}
	if b, ok := to.(broken); ok {
		ch.trouble = trouble{b.reason.Error(), time.Now(), true}
	}
	return ch
}

// take says how many transitions make one message, of so many waiting.
func (ch *channel) take(waiting int) int {
	if waiting >= ch.desk.telling().Digest {
		return waiting
	}
	return 1
}

// supervised is a channel in the hands of one of its loops.
type supervised struct {
	*channel
	loop Loop
}

// run tells until ctx ends: first what a killed process was telling, then what
// comes by the bus and by the socket, and what becomes due.
func (ch *channel) run(ctx context.Context, b Bus, durable string, since time.Time, loop func(name string) Loop) {
	defer ch.ledger.shelf.flush()
	queue := supervised{ch, loop(ch.name)}
	if queue.resume(ctx) != nil {
		queue.loop.Done()
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		direct := supervised{ch, loop(ch.name + " direct")}
		defer direct.loop.Done()
		direct.runDirect(ctx)
	})
	wg.Go(func() {
		due := supervised{ch, loop(ch.name + " due")}
		defer due.loop.Done()
		due.runDue(ctx)
	})
	defer queue.loop.Done()
	queue.awaitNotes(ctx)
	deliver := func(ctx context.Context, batch []bus.AlarmDelivery) error {
		var list []delivery
		for _, d := range batch {
			list = append(list, delivery{Transition: d.Transition, Repeat: d.Attempt > 1})
		}
		return queue.deliver(ctx, list)
	}
	_ = b.DeliverAlarms(ctx, bus.AlarmConsumer{Durable: durable, Since: since, Most: ch.take, Deliver: deliver, Loop: queue.loop}) // it ends with ctx
}

// longestNotes is how long the bus may take to tell of silences before alarms
// are told without.
const longestNotes = 2 * time.Second

func (ch supervised) awaitNotes(ctx context.Context) {
	ch.loop.Allow(longestNotes + roundTime)
	late := time.NewTimer(longestNotes)
	defer late.Stop()
	select {
	case <-ctx.Done():
	case <-ch.desk.book.Complete():
	case <-late.C:
	}
}

// resume ends what a killed process had begun.
func (ch supervised) resume(ctx context.Context) error {
	if err := ch.hold(ctx); err != nil {
		return err
	}
	defer func() { <-ch.gate }()
	ch.mu.Lock()
	m := ch.ledger.Begun
	ch.mu.Unlock()
	if m == nil {
		return nil
	}
	return ch.tell(ctx, *m)
}

// deliver returns nil when every one of batch is told, or withheld and
// remembered; an error only when ctx has ended.
func (ch supervised) deliver(ctx context.Context, batch []delivery) error {
	if err := ch.hold(ctx); err != nil {
		return err
	}
	defer func() { <-ch.gate }()
	if batch = ch.sort(batch, time.Now()); len(batch) == 0 {
		return nil
	}
	return ch.tell(ctx, message{Kind: news, Deliveries: batch})
}

// runDue tells what was withheld, once it may be told, and reminds. It waits in
// line at the gate, or one message after another would keep it out.
func (ch supervised) runDue(ctx context.Context) {
	ch.awaitNotes(ctx)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for ch.hold(ctx) == nil {
		held, reminders := ch.due(time.Now())
		if len(held) > 0 {
			_ = ch.tell(ctx, message{Kind: news, Deliveries: held}) // ends with ctx
		} else if len(reminders) > 0 {
			_ = ch.tell(ctx, message{Kind: reminded, Deliveries: reminders})
		}
		<-ch.gate
		select {
		case <-ctx.Done():
		case <-beat.C:
		}
	}
}

// sort takes a batch into the ledger and returns what is to be told of it.
// What is not is remembered before it returns.
func (ch *channel) sort(batch []delivery, now time.Time) (told []delivery) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	raised, cleared := map[string]bool{}, map[string]string{} // among told
	kept := 0
	for _, d := range batch {
		if ch.ledger.stale(d) {
			continue
		}
		kept++
		d.Repeat = d.Repeat && !ch.ledger.loaded
		t := d.Transition
		id := t.Alarm.ID
		e := ch.ledger.Open[id]
		if t.Alarm.State == libra.Cleared {
			if !raised[id] && ch.forgoes(e, t, now) {
				continue
			}
			if !raised[id] && e != nil && e.Told == "" {
				told = append(told, delivery{Transition: e.Now, Held: e.Why, Post: e.Post})
			}
			if e != nil {
				d.Post, d.Explains = e.Post, ch.ledger.explains(id)
			}
			raised[id], cleared[id] = false, t.ID
			told = append(told, d)
			continue
		}
		if e == nil || cleared[id] != "" {
			e = &entry{After: cleared[id]}
			ch.ledger.Open[id], cleared[id] = e, ""
		}
		e.Now = t
		if ch.judge(e, raised[id], now) {
			raised[id] = true
			d.Post = e.Post
			told = append(told, d)
		}
	}
	if kept > 0 && len(told) == 0 {
		ch.ledger.keep() // else before the call
	}
	return told
}

// forgoes says that a clear need not be told, and notes it: there was a reason
// not to tell of the raise for as long as it lasted. That others of its group
// were told before is none. ch.mu is held.
func (ch *channel) forgoes(e *entry, t libra.Transition, now time.Time) bool {
	if e != nil {
		if e.Told != "" || !ch.mayNot(e, t.At) && !ch.mayNot(e, now) {
			return false
		}
	} else if c := ch.desk.about(ch.name, t.Alarm, now); c.routed && c.silence == nil {
		return false // of an alarm from before our time
	}
	ch.ledger.handled(t)
	ch.ledger.close(t)
	ch.log.Info("not told: nor was that it was raised", "alarm", t.Alarm.ID, "transition", t.ID)
	return true
}

// mayNot says that there is, or was at that time, a reason not to tell of e.
// ch.mu is held.
func (ch *channel) mayNot(e *entry, at time.Time) bool {
	v, why := decide(*e, ch.circumstances(e, at))
	return v == withhold && why != ""
}

// judge says whether a raise is to be told now, and notes why not. ch.mu is
// held.
func (ch *channel) judge(e *entry, raised bool, now time.Time) bool {
	seen := *e
	if raised && seen.Told == "" {
		seen.Told = "in hand"
	}
	v, why := decide(seen, ch.circumstances(e, now))
	if v == withhold {
		e.Why = why
		ch.ledger.handled(e.Now)
		ch.log.Info("withheld", "alarm", e.Now.Alarm.ID, "transition", e.Now.ID, "why", why)
		return false
	}
	if g := e.Now.Alarm.Group; v == tell && g != "" && seen.Told == "" {
		ch.ledger.groups[g] = now
	}
	return v == tell
}

// circumstances are those of e. ch.mu is held.
func (ch *channel) circumstances(e *entry, now time.Time) circumstances {
	a := e.Now.Alarm
	c := ch.desk.about(ch.name, a, now)
	c.cause = ch.ledger.cause(a)
	if at := ch.ledger.groups[a.Group]; !at.Equal(now) {
		c.group = at
	}
	return c
}

// due finds what was withheld and may be told now, and what to remind of.
func (ch *channel) due(now time.Time) (held, reminders []delivery) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, e := range slices.SortedFunc(maps.Values(ch.ledger.Open), func(a, b *entry) int { return a.Now.At.Compare(b.Now.At) }) {
		d := delivery{Transition: e.Now, Held: e.Why, Post: e.Post, Word: e.Word}
		switch v, why := decide(*e, ch.circumstances(e, now)); v {
		case tell:
			held = append(held, d)
			if g := e.Now.Alarm.Group; g != "" {
				ch.ledger.groups[g] = now
			}
		case withhold:
			e.Why = why
		case remind:
			d.Explains = ch.ledger.explains(e.Now.Alarm.ID)
			reminders = append(reminders, d)
		case nothing:
		}
	}
	maps.DeleteFunc(ch.ledger.groups, func(_ string, at time.Time) bool { return now.Sub(at) > time.Hour })
	return held, reminders
}

// state is for the status line.
func (ch *channel) state() string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	text := fmt.Sprintf("%d told", ch.sent.Load())
	withheld := 0
	for _, e := range ch.ledger.Open {
		if e.Told != e.Now.ID && ch.ledger.seen.has(e.Now.ID) { // else it is under way
			withheld++
		}
	}
	if withheld > 0 {
		text += fmt.Sprintf(", %d withheld", withheld)
	}
	if ch.trouble.reason != "" {
		text += fmt.Sprintf(", breaker %s, attempt %d failed: %s", ch.breaker.state, ch.breaker.fails, ch.trouble.reason)
	}
	return text
}

// failing says what keeps the channel from telling: reason "" when nothing does.
func (ch *channel) failing() trouble {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.trouble
}

func refused(err error) *refusal {
	var no *refusal
	if errors.As(err, &no) {
		return no
	}
	return nil
}
