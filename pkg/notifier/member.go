package notifier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"libra/pkg/rules"
	"libra/pkg/statefile"
)

// member is a channel that runs.
type member struct {
	*channel
	stop func() // returns when it has
}

// first is the durable consumer of the first channel: earlier versions had only
// one.
const first = "notifier"

// consumers are which channel has which durable consumer on the bus.
type consumers struct {
	Channels map[string]string `json:"channels"`
	// Gone are durables without a channel that the bus may still have.
	Gone []string `json:"gone,omitempty"`

	none bool // nothing was recorded yet
	file *mirror
}

func (n *Notifier) loadConsumers() *consumers {
	c := &consumers{Channels: map[string]string{}, none: true, file: n.cfg.mirror("consumers.json")}
	for _, file := range c.file.files() {
		err := readFile(file, c)
		if err == nil || errors.As(err, new(*statefile.DamagedError)) {
			c.none = false
		}
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			n.deps.Log.Warn("cannot use the list of consumers, taking their usual names", "file", file, "err", err)
		}
	}
	if c.Channels == nil {
		c.Channels = map[string]string{}
	}
	return c
}

func (n *Notifier) keepConsumers() {
	data, err := json.Marshal(n.consumers)
	if err == nil {
		err = n.consumers.file.write(data)
		n.consumers.file.flush()
	}
	if err != nil {
		n.deps.Log.Warn("cannot keep the list of consumers", "err", err)
	}
}

// of is the durable of a channel, which gets one if it has none.
func (c *consumers) of(name string) string {
	durable, ok := c.Channels[name]
	if !ok {
		durable = first
		taken := slices.Collect(maps.Values(c.Channels)) // by channels that were renamed, too
		for n := 1; slices.Contains(taken, durable); n++ {
			durable = first + "-" + name
			if n > 1 {
				durable += fmt.Sprint("-", n)
			}
		}
	}
	if name != journalName { // the first real channel continues its consumer
		c.Channels[name] = durable
	}
	c.Gone = slices.DeleteFunc(c.Gone, func(gone string) bool { return gone == durable })
	return durable
}

// retire forgets the channels that are not among names.
func (c *consumers) retire(names []string) (retired []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Channels)) {
		if !slices.Contains(names, name) {
			c.Gone = append(c.Gone, c.Channels[name])
			delete(c.Channels, name)
			retired = append(retired, name)
		}
	}
	return retired
}

// rename gives a channel another name: it keeps its durable.
func (c *consumers) rename(from, to string) {
	c.Channels[to] = c.Channels[from]
	delete(c.Channels, from)
}

// change makes the running channels those of f. One that is as it was, but for
// its name, goes on; one that is new begins with what happens from now on; one
// that is gone is forgotten.
func (n *Notifier) change(ctx context.Context, f rules.File) {
	n.cfg.Rules = f
	n.cfg = n.cfg.withDefaults()
	n.policy.setRules(n.cfg.Rules)
	want := n.cfg.channels()
	var stay, leave, next []*member
	for _, m := range n.runningMembers() {
		_, isBroken := m.sender.to.(broken)
		if slices.ContainsFunc(want, func(c rules.Channel) bool { return same(m.rule, c) }) && !isBroken {
			stay = append(stay, m)
		} else {
			leave = append(leave, m)
		}
	}
	stopAll(leave)
	for _, m := range leave {
		n.delivered.Add(m.sender.sent.Load())
		n.failed.Add(m.sender.failed.Load())
		n.busy.Add(m.sender.busy.Spent())
		n.follow(m.rule, want)
	}
	var names []string
	for _, c := range want {
		names = append(names, c.Name)
	}
	for _, name := range n.consumers.retire(names) {
		for _, file := range n.cfg.filesOf(name) {
			_ = os.Remove(file) // it would be stale should the name come back
		}
	}
	for _, c := range want {
		if i := slices.IndexFunc(stay, func(m *member) bool { return m.name == c.Name }); i >= 0 {
			next = append(next, stay[i])
		} else {
			next = append(next, n.start(ctx, c))
		}
	}
	n.keepConsumers()
	n.consumers.none = false
	n.mu.Lock()
	n.members = next
	n.mu.Unlock()
}

// follow finds a channel that has left under another name, and takes what it
// remembers there.
func (n *Notifier) follow(left rules.Channel, want []rules.Channel) {
	has := func(name string) bool {
		return slices.ContainsFunc(want, func(c rules.Channel) bool { return c.Name == name })
	}
	if n.consumers.Channels[left.Name] == "" || has(left.Name) {
		return
	}
	for _, c := range want {
		is := c
		if is.Name = left.Name; n.consumers.Channels[c.Name] != "" || !same(is, left) {
			continue
		}
		n.consumers.rename(left.Name, c.Name)
		from, to := n.cfg.filesOf(left.Name), n.cfg.filesOf(c.Name)
		for i := range from {
			_ = os.Rename(from[i], to[i]) // not all are there
		}
		return
	}
}

// filesOf are those that a channel remembers things in.
func (c Config) filesOf(channel string) []string {
	return append(c.mirror("channel-"+channel+".json").files(), c.mirror("direct-"+channel+".json").files()...)
}

// stopAll returns when all of list have stopped.
func stopAll(list []*member) {
	var wg sync.WaitGroup
	for _, m := range list {
		wg.Go(m.stop)
	}
	wg.Wait()
}

// same says that a channel need not be made again.
func same(a, b rules.Channel) bool {
	a.Line, b.Line = 0, 0
	return reflect.DeepEqual(a, b)
}

func (n *Notifier) start(ctx context.Context, c rules.Channel) *member {
	to, err := n.provider(c, n.cfg, newWriter(n.cfg, n.policy), n.deps.Log)
	if err != nil {
		n.deps.Log.Error("cannot use a channel, its alarms wait: "+err.Error(), "channel", c.Name)
		to = broken{err}
	}
	_, known := n.consumers.Channels[c.Name] // else its log may have been lost
	durable := n.consumers.of(c.Name)
	if durable == first && c.Name != journalName {
		n.inherit(c.Name)
	}
	ch := newChannel(c, to, n.cfg, n.policy, n.timeline, n.deps.Log)
	begin := time.Now()
	if n.consumers.none && durable == first {
		begin = time.Unix(1, 0) // what was raised before our first start, too
	}
	since := ch.nflog.beginAt(begin, !known)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { ch.run(ctx, n.deps.Bus, durable, since, n.deps.Loop) })
	return &member{ch, func() { cancel(); wg.Wait() }}
}

// inherit gives a channel the journal's notification log: it goes on with the
// journal's consumer, after what was logged while there was no channel.
func (n *Notifier) inherit(name string) {
	from, to := n.cfg.mirror("channel-"+journalName+".json").files(), n.cfg.mirror("channel-"+name+".json").files()
	for i := range from {
		if _, err := os.Stat(to[i]); errors.Is(err, fs.ErrNotExist) {
			_ = os.Rename(from[i], to[i]) // most often it does not exist
		}
	}
}

// dropGone has the bus forget a consumer without a channel. A failure is
// retried a second later.
func (n *Notifier) dropGone(ctx context.Context) {
	if len(n.consumers.Gone) == 0 || n.deps.Bus.DropAlarms(ctx, n.consumers.Gone[0]) != nil {
		return
	}
	n.consumers.Gone = n.consumers.Gone[1:]
	n.keepConsumers()
}

func (n *Notifier) runningMembers() []*member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.members)
}

func (n *Notifier) running() (list []*channel) {
	for _, m := range n.runningMembers() {
		list = append(list, m.channel)
	}
	return list
}

// leave stops every channel.
func (n *Notifier) leave() { stopAll(n.runningMembers()) }
