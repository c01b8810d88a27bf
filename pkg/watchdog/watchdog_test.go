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
	bus          error                       // under mu; nil is well
	web          error                       // under mu
	check        func(context.Context) error // under mu; SQLite's
	hear         func(event.Heartbeat)       // under mu
	open         int                         // under mu; requests
	oldest       time.Time                   // under mu; request
	heartbeat    event.Heartbeat             // under mu; what the recorder sends
	stored       []libra.Transition          // under mu; on the bus
	reports      []event.Reported            // under mu; on the bus
	sentDirect   []libra.Transition          // under mu; past the bus
	watches      []event.Watch               // under mu; on the bus
	notes        []libra.Note                // under mu; on the bus
	inspectedNow []string                    // under mu; pages to be weighed beside their turns
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
		t: t, began: time.Now(), heartbeat: event.Heartbeat{Component: "libra-recorder", Instance: "1", PID: 7, Status: "recording"}, check: func(context.Context) error { return nil },
		cfg: watchdog.Config{
			Expect: []watchdog.Target{{Component: "libra-recorder"}}, Folder: t.TempDir(), Thresholds: thresholds(),
			Proc: t.TempDir(), State: t.TempDir(), Runtime: t.TempDir(), Hostname: "box",
		},
	}
}

func (r *rig) Ping(context.Context) error { return r.locked(func() error { return r.bus }) }

func (r *rig) CheckStreams(context.Context) error { return r.locked(func() error { return r.bus }) }

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
	for seen := 0; ctx.Err() == nil; {
		if r.Ping(ctx) == nil {
			r.mu.Lock()
			news := slices.Clone(r.reports[seen:])
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

func (r *rig) OldestRequest(context.Context) (int, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.oldest, r.bus
}

func (r *rig) SubscribeHeartbeats(fn func(event.Heartbeat)) (func(), error) {
	return func() {}, r.locked(func() error { r.hear = fn; return nil })
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
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("OK"))}, nil
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
			hear, beat := r.hear, r.heartbeat
			r.mu.Unlock()
			if hear != nil {
				hear(beat)
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

func TestOneRaiseOneClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.advance(10, true)
		r.wantStored()
		r.set(func() { r.web = errDown })
		r.advance(20, true)
		r.wantStored("11 web raised critical")
		r.set(func() { r.web = nil })
		r.advance(20, true)
		r.wantStored("11 web raised critical", "33 web cleared critical")
		up := r.stored[1].Alarm
		if up.Until.Sub(up.Since) != 22*time.Second || up.Summary != "The web server serves again" || up.Evidence != "3 of 3 probes in a row passed" {
			t.Errorf("cleared: %+v", up)
		}
		if r.stored[0].ID == r.stored[1].ID {
			t.Error("two transitions share an id")
		}
	})
}

// A target that is down from the start is raised once the grace is over; one that
// is up in time is not.
func TestDownFromBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.web = errDown
		r.check = func(context.Context) error { return errDown }
		r.start()
		r.advance(3, false)
		r.set(func() { r.check = func(context.Context) error { return nil } })
		r.advance(10, false)
		r.wantStored("5 beat.recorder raised major", "5 web raised critical")
	})
}

// Everything is down from the start, the bus too: alarms are sent directly.
func TestBusDownFromBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.bus, r.web = errDown, errDown
		r.start()
		r.advance(10, false)
		r.want("past the bus", r.sentDirect, []string{"5 bus raised critical", "6 web raised critical"})
		r.set(func() { r.bus, r.web = nil, nil })
		r.advance(10, true)
		r.wantStored("5 bus raised critical", "6 web raised critical", "13 bus cleared critical", "13 web cleared critical")
	})
}

// While the bus is away, missing heartbeats are no failure; after that, silence
// counts from the start.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.advance(10, true)
		r.set(func() { r.bus = errDown })
		r.advance(20, false)
		r.set(func() { r.bus = nil })
		r.advance(3, false)
		r.advance(10, true)
		r.wantStored("11 bus raised critical", "33 bus cleared critical")
		r.advance(10, false)
		r.wantStored("11 bus raised critical", "33 bus cleared critical", "45 beat.recorder raised major")
		if want := `no heartbeat for 2.5 s, limit 2 s; the last was of process 7: "recording"; 1 of 1 probes in a row failed`; r.stored[2].Alarm.Evidence != want {
			t.Errorf("evidence %q, want %q", r.stored[2].Alarm.Evidence, want)
		}
	})
}

// A probe that hangs and ignores its context fails, is not begun again, and delays
// no other.
func TestHangingProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		begun, release := 0, make(chan struct{})
		defer close(release)
		r.start()
		r.advance(9, true)
		r.set(func() { r.check = func(context.Context) error { begun++; <-release; return nil } })
		r.advance(5, true)
		r.set(func() { r.web = errDown })
		r.advance(5, true)
		r.wantStored("11 sqlite raised major", "15 web raised critical")
		if begun != 1 {
			t.Errorf("begun %d times", begun)
		}
		release <- struct{}{}
		r.set(func() { r.web, r.check = nil, func(context.Context) error { return nil } })
		r.advance(10, true)
		if got := r.stored[len(r.stored)-1].Alarm; len(r.stored) != 4 || got.State != libra.Cleared {
			t.Errorf("%d transitions, the last %+v", len(r.stored), got)
		}
	})
}

// Killed every two seconds while a target fails: raised on time, once.
func TestKilledRepeatedly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Component.Raise = 3
		_, kill := r.start()
		r.advance(10, true)
		r.set(func() { r.web = errDown })
		for range 8 {
			r.advance(2, false)
			kill()
			_, kill = r.start()
		}
		// Whether a heartbeat is missed just before the kill or just after the
		// start decides over a second.
		silent := "13 beat.recorder raised major"
		r.set(func() {
			if len(r.stored) == 2 && r.stored[1].At.Sub(r.began) >= 14*time.Second {
				silent = "14 beat.recorder raised major"
			}
		})
		r.wantStored("12 web raised critical", silent)
		r.set(func() { r.web = nil })
		r.advance(2, true)
		kill()
		r.start()
		r.advance(9, true)
		r.wantStored("12 web raised critical", silent, "32 web cleared critical", "33 beat.recorder cleared major")
	})
}

// After an orderly stop the counters are gone, and what is raised is known, from
// the watchdog's own file or from the bus.
func TestRestartKeepsRaisedAlarms(t *testing.T) {
	for _, lost := range []string{"nothing", "state", "both"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			stop, _ := r.start()
			r.advance(10, true)
			r.set(func() { r.web = errDown })
			r.advance(3, true)
			stop()
			if _, err := os.Stat(filepath.Join(r.cfg.Runtime, "counters.json")); !os.IsNotExist(err) {
				t.Errorf("after an orderly stop: %v", err)
			}
			if lost != "nothing" {
				r.cfg.State = t.TempDir()
			}
			if lost == "both" { // and it has mended itself meanwhile
				r.web = nil
			}
			stop, _ = r.start()
			r.advance(20, true)
			r.set(func() { r.web = nil })
			r.advance(10, true)
			stop()
			if len(r.stored) != 2 || r.stored[0].Alarm.State != libra.Raised || r.stored[1].Alarm.State != libra.Cleared ||
				!r.stored[1].Alarm.Since.Equal(r.stored[0].Alarm.Since) {
				t.Errorf("lost %s: %+v\n%s", lost, r.stored, r.log.String())
			}
		})
	}
}

// What the watchdog could not publish before it was killed is published after,
// under the same id, and not sent to the notifier twice.
func TestPendingSurvivesKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		r.advance(10, true)
		r.set(func() { r.bus = errDown })
		r.advance(3, true)
		kill()
		r.start()
		r.advance(3, true)
		r.want("past the bus", r.sentDirect, []string{"11 bus raised critical"})
		r.set(func() { r.bus = nil })
		r.advance(5, true)
		r.wantStored("11 bus raised critical", "19 bus cleared critical")
		if r.sentDirect[0].ID != r.stored[0].ID {
			t.Error("the notifier cannot see that both are the same")
		}
	})
}

// A component that is no longer expected has no alarm.
func TestNoLongerExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.stored = []libra.Transition{
			{ID: "1", Alarm: libra.Alarm{ID: "beat.inspector.9", State: libra.Raised, Severity: libra.Major, Since: time.Now()}, At: time.Now()},
			{ID: "2", Alarm: libra.Alarm{ID: "page.x", State: libra.Raised, Severity: libra.Major, Since: time.Now()}, At: time.Now()},
		}
		r.start()
		r.advance(10, true)
		if len(r.stored) != 3 || r.stored[2].Alarm.ID != "beat.inspector.9" || r.stored[2].Alarm.State != libra.Cleared {
			t.Errorf("%+v", r.stored)
		}
	})
}
