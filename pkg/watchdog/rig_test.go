package watchdog_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
)

// rig is a watchdog in a bubble of its own time: the test sets the bus, web, the
// database and the heartbeats, by second.
type rig struct {
	t     *testing.T
	cfg   watchdog.Config
	began time.Time

	mu           sync.Mutex
	bus          error                       // under mu; nil while it works
	web          error                       // under mu
	webStatus    int                         // under mu; 0 is 200
	check        func(context.Context) error // under mu; SQLite's
	onHeartbeat  func(event.Heartbeat)       // under mu
	queue        bus.Queue                   // under mu
	heartbeat    event.Heartbeat             // under mu; what the recorder sends
	stored       []libra.Transition          // under mu; on the bus
	made         time.Time                   // under mu; when the bus made that stream
	reports      []event.Reported            // under mu; on the bus
	sentDirect   []libra.Transition          // under mu; to the notifier, without the bus
	watches      []event.Watch               // under mu; on the bus
	notes        []libra.Note                // under mu; on the bus
	inspectedNow []string                    // under mu; pages to be inspected beside their schedule
	units        *fakeSystemd                // systemd; nil for none
	running      *watchdog.Watchdog          // the newest
	log          strings.Builder             // under mu
	loop         bus.Loop                    // Deps.Loop
}

// thresholds are the defaults, but that of the disk of the machine that tests.
func thresholds() rules.Thresholds {
	t := rules.Defaults().Thresholds
	t.Disk = rules.Percent{}
	return t
}

func newRig(t *testing.T) *rig {
	return &rig{
		t: t, began: time.Now(), made: time.Now(), heartbeat: event.Heartbeat{Component: "libra-recorder", Instance: "1", PID: 7, Status: "recording"}, check: func(context.Context) error { return nil },
		cfg: watchdog.Config{
			Expect: []watchdog.Target{{Component: "libra-recorder"}}, Folder: t.TempDir(), Thresholds: thresholds(),
			Proc: t.TempDir(), State: t.TempDir(), Runtime: t.TempDir(), Hostname: "box",
		},
	}
}

func (r *rig) Ping(context.Context) error { return r.locked(func() error { return r.bus }) }

func (r *rig) CheckStreams(context.Context) error { return r.locked(func() error { return r.bus }) }

func (r *rig) StreamMade(context.Context, string) (made time.Time, err error) {
	return made, r.locked(func() error { made = r.made; return r.bus })
}

// wipe is the loss of the stream of alarms.
func (r *rig) wipe() { r.stored, r.made = nil, time.Now() }

func (r *rig) locked(do func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return do()
}

func (r *rig) PublishAlarm(_ context.Context, t libra.Transition) error {
	return r.locked(func() error {
		if r.bus == nil {
			r.stored = append(r.stored, t)
		}
		return r.bus
	})
}

func (r *rig) ConsumeAlarms(ctx context.Context, caughtUp func(), fn func(libra.Transition)) error {
	for r.Ping(ctx) != nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	r.mu.Lock()
	newest := map[string]libra.Transition{}
	for _, t := range r.stored {
		newest[t.Alarm.ID] = t
	}
	r.mu.Unlock()
	for _, t := range newest {
		fn(t)
	}
	caughtUp()
	<-ctx.Done()
	return ctx.Err()
}

func (r *rig) ConsumeReports(ctx context.Context, caughtUp func(), fn func(event.Reported)) error {
	return consume(ctx, r, &r.reports, caughtUp, fn)
}

// consume calls fn with what is on the bus, while there is one, then with what
// comes.
func consume[T any](ctx context.Context, r *rig, list *[]T, caughtUp func(), fn func(T)) error {
	for seen := 0; ctx.Err() == nil; {
		if r.Ping(ctx) == nil {
			r.mu.Lock()
			news := slices.Clone((*list)[seen:])
			r.mu.Unlock()
			for _, a := range news {
				fn(a)
			}
			seen += len(news)
			caughtUp()
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ctx.Err()
}

func (r *rig) Queue(context.Context) (bus.Queue, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue, r.bus
}

func (r *rig) SubscribeHeartbeats(fn func(event.Heartbeat)) (func(), error) {
	return func() {}, r.locked(func() error { r.onHeartbeat = fn; return nil })
}

func (r *rig) Check(ctx context.Context) error {
	r.mu.Lock()
	check := r.check
	r.mu.Unlock()
	return check(ctx)
}

func (r *rig) RoundTrip(*http.Request) (*http.Response, error) {
	if err := r.locked(func() error { return r.web }); err != nil {
		return nil, err
	}
	code := http.StatusOK
	if err := r.locked(func() error { code = cmp.Or(r.webStatus, code); return nil }); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Body: io.NopCloser(strings.NewReader("OK"))}, nil
}

func (r *rig) sendDirect(_ context.Context, t libra.Transition) error {
	return r.locked(func() error { r.sentDirect = append(r.sentDirect, t); return nil })
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

// start runs a watchdog. kill ends it as kill -9 would: only what is in
// its files at that moment is left.
func (r *rig) start() (stop, kill func()) {
	ctx, cancel := context.WithCancel(context.Background())
	w := watchdog.New(r.cfg, watchdog.Deps{
		Bus: r, SQLite: r, Web: r, SendDirect: r.sendDirect, Systemd: r.systemd(), Loop: r.loop, Log: slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	r.running = w
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	time.Sleep(500 * time.Millisecond) // the test acts between two rounds
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			r.t.Errorf("Run: %v", err)
		}
	})
	r.t.Cleanup(stop)
	kill = func() {
		synctest.Wait()
		file := filepath.Join(r.cfg.Runtime, "counters.json")
		kept, err := os.ReadFile(file)
		stop()
		if err == nil {
			err = os.WriteFile(file, kept, 0o600)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			r.t.Error(err)
		}
	}
	return stop, kill
}

// advance lets seconds pass; the recorder sends a heartbeat in each of them if it
// is alive.
func (r *rig) advance(seconds int, alive bool) {
	for range seconds {
		if alive {
			r.mu.Lock()
			onHeartbeat, beat := r.onHeartbeat, r.heartbeat
			r.mu.Unlock()
			if onHeartbeat != nil {
				onHeartbeat(beat)
			}
		}
		time.Sleep(time.Second)
	}
	synctest.Wait()
}

func (r *rig) set(do func()) { r.mu.Lock(); defer r.mu.Unlock(); do() }

// evidence is that of the nth transition on the bus.
func (r *rig) evidence(n int) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stored[n].Alarm.Evidence
}

// wantStored compares what is on the bus: "second alarm state severity".
func (r *rig) wantStored(want ...string) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.want("on the bus", r.stored, want)
}

func (r *rig) want(where string, list []libra.Transition, want []string) {
	r.t.Helper()
	var got []string
	slices.SortStableFunc(list, func(a, b libra.Transition) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Alarm.ID, b.Alarm.ID))
	})
	for _, t := range list {
		got = append(got, fmt.Sprintf("%.0f %s %s %s", t.At.Sub(r.began).Truncate(time.Second).Seconds(), t.Alarm.ID, t.Alarm.State, t.Alarm.Severity))
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		r.t.Fatalf("%s (-want +got):\n%s\n%s", where, diff, r.log.String())
	}
}

var errDown = errors.New("down")
