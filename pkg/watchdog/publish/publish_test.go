package publish_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/libra"
	"libra/pkg/watchdog/publish"
)

// fakeBus is away until up is set. It notes what it stores, and
// what is sent to the notifier directly.
type fakeBus struct {
	mu     sync.Mutex
	up     bool     // under mu
	stored []string // under mu; ids of transitions and notes
	direct []string // under mu; ids of transitions
	lost   int      // under mu: how many answers of the notifier get lost
}

func (b *fakeBus) store(id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.up {
		return errors.New("away")
	}
	b.stored = append(b.stored, id)
	return nil
}

func (b *fakeBus) PublishAlarm(_ context.Context, t libra.Transition) error { return b.store(t.ID) }

func (b *fakeBus) PublishNote(_ context.Context, n libra.Note) error { return b.store(n.ID) }

func (b *fakeBus) sendDirect(_ context.Context, t libra.Transition) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.direct = append(b.direct, t.ID)
	if b.lost > 0 {
		b.lost--
		return errors.New("no answer")
	}
	return nil
}

func (b *fakeBus) want(t *testing.T, stored, direct []string) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.stored, stored) || !slices.Equal(b.direct, direct) {
		t.Errorf("stored %q and sent directly %q, want %q and %q", b.stored, b.direct, stored, direct)
	}
}

func (b *fakeBus) start(file string) (p *publish.Publisher, kill func()) {
	p = publish.New(b, b.sendDirect, slog.New(slog.DiscardHandler), file)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { p.Run(ctx) })
	wg.Go(func() { p.RunNotes(ctx) })
	return p, func() { cancel(); wg.Wait() }
}

func raised(id, alarm string) libra.Transition {
	return libra.Transition{ID: id, At: time.Now(), Alarm: libra.Alarm{ID: alarm, State: libra.Raised}}
}

// A transition is sent directly until the notifier answers, and then no more.
func TestSentDirectlyUntilAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBus{lost: 2}
		p, kill := b.start(filepath.Join(t.TempDir(), "alarms.json"))
		defer kill()
		p.Add(raised("t1", "bus"))
		time.Sleep(time.Minute)
		b.want(t, nil, []string{"t1", "t1", "t1"})
	})
}

// While the bus is away, transitions are sent directly, each once, also over a
// kill; once it is back, it stores them in order.
func TestBusAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, file := &fakeBus{}, filepath.Join(t.TempDir(), "alarms.json")
		p, kill := b.start(file)
		p.Add(raised("t1", "bus"))
		p.Add(raised("t2", "web"))
		p.AddNote(libra.Note{ID: "n1", Alarm: "web"})
		time.Sleep(time.Second)
		b.want(t, nil, []string{"t1", "t2"})
		kill()
		p, kill = b.start(file)
		defer kill()
		if newest, ok := p.Newest("web"); !ok || newest.ID != "t2" || !p.Known() {
			t.Errorf("after a restart the newest of web is %+v, %v", newest, ok)
		}
		p.Add(raised("t3", "disk"))
		time.Sleep(time.Second)
		b.mu.Lock()
		b.up = true
		b.mu.Unlock()
		time.Sleep(2 * time.Second)
		b.mu.Lock()
		if !slices.Contains(b.stored, "n1") {
			t.Error("the note is not published")
		}
		b.stored = slices.DeleteFunc(b.stored, func(id string) bool { return id == "n1" }) // in no order with transitions
		b.mu.Unlock()
		b.want(t, []string{"t1", "t2", "t3"}, []string{"t1", "t2", "t3"})
	})
}

// What is added in a batch is saved and published when the batch ends; so is the
// source of a trouble.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, file := &fakeBus{}, filepath.Join(t.TempDir(), "alarms.json")
		p, kill := b.start(file)
		defer kill()
		p.Add(raised("t1", "bus"))
		time.Sleep(time.Second)
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p.BeginBatch()
		p.SetSource("channel.ops", "libra-notifier")
		p.Add(raised("t2", "web"))
		if during, err := os.ReadFile(file); err != nil || !bytes.Equal(during, before) {
			t.Errorf("written during the batch: %s, %v", during, err)
		}
		b.mu.Lock()
		b.up = true
		b.mu.Unlock()
		time.Sleep(time.Second)
		b.want(t, nil, []string{"t1"})
		p.EndBatch()
		after := publish.New(b, b.sendDirect, slog.New(slog.DiscardHandler), file)
		if _, saved := after.Newest("web"); !saved || after.Sources()["channel.ops"] == "" {
			t.Errorf("after the batch the file lacks t2 (%t) or the source %q", saved, after.Sources())
		}
		time.Sleep(time.Second)
		b.want(t, []string{"t1", "t2"}, []string{"t1"})
	})
}

// A batch that changes nothing goes on with what was pending before it.
func TestEmptyBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBus{}
		p, kill := b.start("")
		defer kill()
		p.Add(raised("t1", "bus"))
		time.Sleep(time.Second)
		p.BeginBatch()
		b.mu.Lock()
		b.up = true
		b.mu.Unlock()
		time.Sleep(time.Second)
		b.want(t, nil, []string{"t1"})
		p.EndBatch()
		time.Sleep(time.Second)
		b.want(t, []string{"t1"}, []string{"t1"})
	})
}

// A bus that has lost its store gets what is raised again, with the same id, and
// nothing that it still has.
func TestRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fakeBus{up: true}
		p, kill := b.start("")
		defer kill()
		p.Adopt(raised("t1", "bus"))
		p.Adopt(raised("t2", "web"))
		time.Sleep(time.Second)
		p.Restore(map[string]string{"web": "t2"}, time.Now())
		time.Sleep(time.Second)
		b.want(t, []string{"t1"}, nil)
	})
}
