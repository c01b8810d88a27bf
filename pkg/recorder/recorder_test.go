package recorder_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

func acknowledged(alarm string) libra.Note {
	return libra.Note{ID: "n-" + alarm, Kind: libra.Acknowledged, At: time.Now().UTC(), By: "ann", Text: "on it", Alarm: alarm}
}

func watch(every int) event.Watch {
	url := "https://example.org/watched"
	return event.Watch{Page: libra.PageID(url), URL: url, Site: "home", Client: "alice", EveryS: every, At: time.Now().UTC()}
}

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// run starts a recorder and returns what ends it.
func run(t *testing.T, b *bustest.Bus, path string) (stop func()) {
	t.Helper()
	_, stop = runSupervised(t, b, path, recorder.Loops{})
	return stop
}

func runSupervised(t *testing.T, b *bustest.Bus, path string, loops recorder.Loops) (r *recorder.Recorder, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r = recorder.New(recorder.Config{Path: path}, b.Connect("recorder"), b.Log(), func(string) {})
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(ctx, loops) })
	return r, func() { cancel(); wg.Wait() }
}

func TestRecords(t *testing.T) {
	t.Parallel()
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
	if err := errors.Join(watchdog.PublishNote(t.Context(), acknowledged("bus")), b.Connect("web").SetWatch(t.Context(), watch(30))); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the note and the watch", func() bool {
		notes, err := read.Notes(t.Context(), "bus", store.Mark{}, 9)
		watches, watchErr := read.Watches(t.Context())
		return err == nil && watchErr == nil && len(notes) == 1 && len(watches) == 1
	})
	stop()

	// The next one goes on where it stopped.
	if err := inspector.PublishReport(t.Context(), reported(2)); err != nil {
		t.Fatal(err)
	}
	defer run(t, b, path)()
	bustest.Await(t, "the second report", has(2))
}

// While the database is being opened, which reads all of it, no loop blocks for
// longer than it declares; then what the bus has is recorded.
func TestSlowOpening(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	if err := b.Connect("inspector").PublishReport(t.Context(), reported(1)); err != nil {
		t.Fatal(err)
	}
	var loops [5]bustest.Loop
	opened := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	r := recorder.New(recorder.Config{Path: path}, b.Connect("recorder"), b.Log(), func(string) {})
	r.OpenWith(func(ctx context.Context, path string) (*store.Writer, error) {
		<-opened
		return store.Open(ctx, path)
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		r.Run(ctx, recorder.Loops{Reports: &loops[0], Alarms: &loops[1], Notes: &loops[2], Watches: &loops[3], Board: &loops[4]})
	})
	for i := range loops {
		bustest.Await(t, "three rounds of every loop", func() bool { return loops[i].Rounds() >= 3 })
	}
	close(opened)
	read := store.NewReader(path)
	defer read.Close()
	bustest.Await(t, "the report", func() bool { _, err := read.ByRequest(t.Context(), "r1"); return err == nil })
	for i := range loops {
		loops[i].InTime(t, fmt.Sprint(i))
	}
}

// While another process locks the database, reports wait, and the recorder reports
// since when, whatever the loop of the alarms does; then all are stored.
func TestLockedDatabase(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	inspector := b.Connect("inspector")
	var loops [5]bustest.Loop
	alarms := &loops[1]
	r, stop := runSupervised(t, b, path, recorder.Loops{Reports: &loops[0], Alarms: alarms, Notes: &loops[2], Watches: &loops[3], Board: &loops[4]})
	defer stop()
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
	bustest.Await(t, "the recorder to be behind", func() bool { return r.BehindSince() != 0 })
	if why := r.Reasons(); len(why) != 1 || why[0].Code != libra.CodeHistoryBehind || why[0].Text == "" {
		t.Errorf("reasons while behind: %+v", why)
	}
	since, was := r.BehindSince(), alarms.Rounds()
	bustest.Await(t, "three rounds of the alarms' loop", func() bool { return alarms.Rounds() >= was+3 })
	if now := r.BehindSince(); now != since {
		t.Errorf("behind since %d, and then since %d", since, now)
	}
	awaitLoopsBehind(t, b, &loops)
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "all twenty", func() bool {
		list, err := read.Latest(t.Context(), time.Time{}, 99)
		return err == nil && len(list) == 20
	})
	bustest.Await(t, "the recorder to be no more behind", func() bool { return r.BehindSince() == 0 })
	if why := r.Reasons(); why != nil {
		t.Errorf("reasons once the database can be written: %+v", why)
	}
	rows, err := db.QueryContext(t.Context(), "SELECT request FROM report ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		var id string
		if err := rows.Scan(&id); err != nil || id != fmt.Sprint("r", n) {
			t.Errorf("row %d is of request %s, %v: reports are stored in the order they came", n, id, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}

// awaitLoopsBehind has every loop of a recorder whose database is locked wait for
// its turn to write, several times, and checks that none blocks for longer than it
// declares.
func awaitLoopsBehind(t *testing.T, b *bustest.Bus, loops *[5]bustest.Loop) {
	t.Helper()
	raised := libra.Transition{ID: "t1", At: time.Now().UTC(), Alarm: libra.Alarm{ID: "bus", State: libra.Raised}}
	web := b.Connect("web")
	err := errors.Join(b.Connect("watchdog").PublishAlarm(t.Context(), raised),
		web.PublishNote(t.Context(), acknowledged("bus")), web.SetWatch(t.Context(), watch(3600)), writeBoard(t, web, 1))
	if err != nil {
		t.Fatal(err)
	}
	var was [5]int
	for i := range loops {
		was[i] = loops[i].Rounds()
	}
	for i := range loops {
		bustest.Await(t, "a loop to go round", func() bool { return loops[i].Rounds() >= was[i]+12 })
		loops[i].InTime(t, fmt.Sprint(i))
	}
}

// A database that is deleted, or overwritten, while it is in use is filled again
// from the bus, completely.
func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(path string) error{
		"deleted":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 0) },
		"rubbish": func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("rubbish "), 5000), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := bustest.Start(t)
			dir := t.TempDir()
			path := filepath.Join(dir, "libra.db")
			inspector := b.Connect("inspector")
			publish := func(from, to int) {
				for n := from; n < to; n++ {
					if err := inspector.PublishReport(t.Context(), reported(n)); err != nil {
						t.Fatal(err)
					}
				}
			}
			read := store.NewReader(path)
			defer read.Close()
			count := func(want int) func() bool {
				return func() bool {
					list, err := read.Latest(t.Context(), time.Time{}, 999)
					return err == nil && len(list) == want
				}
			}
			defer run(t, b, path)()
			publish(0, 20)
			bustest.Await(t, "twenty reports", count(20))
			if err := harm(path); err != nil {
				t.Fatal(err)
			}
			publish(20, 30)
			bustest.Await(t, "thirty reports", count(30))
			// Rubbish over pages that the log still holds does no harm.
			if aside, err := filepath.Glob(path + ".damaged-*"); err != nil || len(aside) == 0 && name != "rubbish" {
				t.Errorf("nothing was set aside: %v, %v", aside, err)
			}
		})
	}
}

// A bus that has lost its store gets the watches, the silences and the
// acknowledgements again, and nothing that is over.
func TestWipedNotes(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	web, watchdog := b.Connect("web"), b.Connect("watchdog")
	now := time.Now().UTC()
	silence := func(id string, until time.Time) libra.Note {
		return libra.Note{ID: "n-" + id, Kind: libra.Silenced, At: now, By: "ann", Silence: &libra.Silence{
			ID: id, Match: libra.Match{Alarm: "disk"}, From: now, Until: until, By: "ann", Why: "new disks",
		}}
	}
	var errs []error
	for _, alarm := range []string{"bus", "web"} {
		tr := libra.Transition{ID: "t-" + alarm, At: now, Alarm: libra.Alarm{ID: alarm, State: libra.Raised, Since: now}}
		errs = append(errs, watchdog.PublishAlarm(t.Context(), tr), web.PublishNote(t.Context(), acknowledged(alarm)))
	}
	cleared := libra.Transition{ID: "t2-web", At: now.Add(time.Second), Alarm: libra.Alarm{ID: "web", State: libra.Cleared, Since: now}}
	errs = append(errs, watchdog.PublishAlarm(t.Context(), cleared), web.SetWatch(t.Context(), watch(30)),
		web.PublishNote(t.Context(), silence("over", now)), web.PublishNote(t.Context(), silence("now", now.Add(time.Hour))))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	read := store.NewReader(path)
	defer read.Close()
	r, stop := runSupervised(t, b, path, recorder.Loops{})
	defer stop()
	bustest.Await(t, "everything to be recorded", func() bool {
		notes, err := read.Notes(t.Context(), "", store.Mark{}, 9)
		alarms, alarmErr := read.Alarms(t.Context(), 9)
		watches, watchErr := read.Watches(t.Context())
		return errors.Join(err, alarmErr, watchErr) == nil && len(notes) == 4 && len(alarms) == 3 && len(watches) == 1
	})
	b.Down()
	b.Wipe()
	b.Up()
	b.Streams()
	bustest.Await(t, "a watch and two notes to be given back", func() bool { return r.Restored() == 3 })
	if w, err := web.WatchOf(t.Context(), watch(30).Page); err != nil || w.EveryS != 30 {
		t.Errorf("the watch = %+v, %v", w, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	web.ConsumeNotes(ctx, cancel, func(n libra.Note) { got = append(got, n.ID) })
	if slices.Sort(got); !slices.Equal(got, []string{"n-bus", "n-now"}) {
		t.Errorf("notes on the bus: %v", got)
	}
}

// A bus that has lost its store gets the newest report of every page back.
func TestWipedBus(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	inspector, web := b.Connect("inspector"), b.Connect("web")
	for n := range 20 {
		if err := inspector.PublishReport(t.Context(), reported(n)); err != nil {
			t.Fatal(err)
		}
	}
	failed := reported(3)
	failed.Request.ID, failed.Report.Outcome = "failed", libra.Error
	if err := inspector.PublishReport(t.Context(), failed); err != nil {
		t.Fatal(err)
	}
	read := store.NewReader(path)
	defer read.Close()
	defer run(t, b, path)()
	bustest.Await(t, "the last report", func() bool { _, err := read.ByRequest(t.Context(), "failed"); return err == nil })
	b.Down()
	b.Wipe()
	b.Up()
	b.Streams()
	for n := range 20 {
		page := reported(n).Request.Page
		bustest.Await(t, "a report on the bus again", func() bool {
			got, err := web.LastReport(t.Context(), page)
			return err == nil && got.Request.ID == fmt.Sprint("r", n)
		})
	}
	bustest.Await(t, "the failure", func() bool {
		got, err := web.LastFailure(t.Context(), failed.Request.Page)
		return err == nil && got.Request.ID == "failed"
	})
}

// A database of a later version of Libra ends the recorder, which would not be able to
// write to it after a restart either, and stays as it is.
func TestDatabaseOfALaterVersion(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	db, err := sql.Open("sqlite3", path)
	if err == nil {
		_, err = db.Exec("CREATE TABLE later (id TEXT); PRAGMA user_version = 99")
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := recorder.New(recorder.Config{Path: path}, b.Connect("recorder"), b.Log(), func(string) {})
	if err := r.Run(t.Context(), recorder.Loops{}); !errors.Is(err, store.ErrSchema) {
		t.Errorf("it ends with %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after[100:], before[100:]) { // the header says that it is in WAL mode
		t.Errorf("the database was changed: %v", err)
	}
}
