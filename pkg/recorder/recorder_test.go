package recorder_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/recorder"
	"libra/pkg/store"
)

func reported(n int) event.Reported {
	url := fmt.Sprintf("https://example.org/%d", n)
	return event.Reported{
		Request: event.Request{ID: fmt.Sprint("r", n), Page: libra.PageID(url), URL: url, Site: "home", Client: "alice"},
		At:      time.Now().UTC(), Report: libra.Report{URL: url, Outcome: libra.Complete},
	}
}

// run starts a recorder and returns what ends it.
func run(t *testing.T, b *bustest.Bus, path string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := recorder.New(recorder.Config{Path: path}, b.Connect("recorder"), b.Log(), func(string) {})
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx, recorder.Loops{Reports: func() {}, Alarms: func() {}}) })
	return func() { cancel(); wg.Wait() }
}

func TestRecords(t *testing.T) {
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	inspector, watchdog := b.Connect("inspector"), b.Connect("watchdog")
	read := store.NewReader(path)
	defer read.Close()
	has := func(n int) func() bool {
		return func() bool { _, err := read.ByRequest(t.Context(), fmt.Sprint("r", n)); return err == nil }
	}

	// Published while no recorder runs, recorded when one does.
	if err := inspector.PublishReport(t.Context(), reported(1)); err != nil {
		t.Fatal(err)
	}
	stop := run(t, b, path)
	bustest.Await(t, "the first report", has(1))
	alarm := libra.Transition{ID: "t1", At: time.Now(), Alarm: libra.Alarm{ID: "bus", State: libra.Raised}}
	if err := watchdog.PublishAlarm(t.Context(), alarm); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the alarm", func() bool { list, err := read.Alarms(t.Context(), 9); return err == nil && len(list) == 1 })
	stop()

	// The next one goes on where it stopped.
	if err := inspector.PublishReport(t.Context(), reported(2)); err != nil {
		t.Fatal(err)
	}
	defer run(t, b, path)()
	bustest.Await(t, "the second report", has(2))
}

// While somebody holds the database, reports wait; then all are there.
func TestLockedDatabase(t *testing.T) {
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	inspector := b.Connect("inspector")
	defer run(t, b, path)()
	read := store.NewReader(path)
	defer read.Close()
	bustest.Await(t, "the database", func() bool { return read.Check(t.Context()) == nil })

	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if err := inspector.PublishReport(t.Context(), reported(n)); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := read.Latest(t.Context(), time.Time{}, 99); err != nil || len(list) != 0 {
		t.Errorf("while locked: %d reports, %v", len(list), err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "all twenty", func() bool {
		list, err := read.Latest(t.Context(), time.Time{}, 99)
		return err == nil && len(list) == 20
	})
}
