package recorder_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/recorder"
	"libra/pkg/store"
)

// site is a bus and a database whose reports are counted.
type site struct {
	t         *testing.T
	b         *bustest.Bus
	path      string
	read      *store.Reader
	inspector *bus.Conn
	published int
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, b: bustest.Start(t), path: filepath.Join(t.TempDir(), "libra.db")}
	s.read, s.inspector = store.NewReader(s.path), s.b.Connect("inspector")
	t.Cleanup(func() { s.read.Close() })
	return s
}

func (s *site) run() (r *recorder.Recorder, stop func()) {
	r, stop = runSupervised(s.t, s.b, s.path, recorder.Loops{})
	stop = sync.OnceFunc(stop)
	s.t.Cleanup(stop)
	return r, stop
}

// publish publishes so many reports more, each of a page of its own, again where a busy bus gave no
// answer in time.
func (s *site) publish(more int) {
	s.t.Helper()
	for range more {
		r := reported(s.published)
		bustest.Await(s.t, "a report to be published", func() bool { return s.inspector.PublishReport(s.t.Context(), r) == nil })
		s.published++
	}
}

func (s *site) awaitRecorded(want int) {
	s.t.Helper()
	bustest.Await(s.t, "the reports to be recorded", func() bool {
		list, err := s.read.Latest(s.t.Context(), time.Time{}, want+1)
		return err == nil && len(list) == want
	})
}

// awaitLost waits for what the heartbeats say: how many reports were lost since the start,
// and how many in gaps that nobody has acknowledged.
func (s *site) awaitLost(r *recorder.Recorder, lost, missing int64) {
	s.t.Helper()
	bustest.Await(s.t, fmt.Sprintf("%d reports to be lost, and %d to be missing", lost, missing), func() bool {
		return r.Lost() == lost && r.Missing() == missing && r.LostAt() != 0
	})
}

// notes are those in the timeline of the alarm about gaps.
func (s *site) notes() []libra.Note {
	list, err := s.read.Notes(s.t.Context(), event.LostAlarm, store.Mark{}, 99)
	if err != nil {
		return nil
	}
	return list
}

// Reports that nobody can record any more are an alarm with a note in its timeline,
// across restarts, until somebody acknowledges it; then the next gap is one.
func TestLostReportsUntilAcknowledged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r, stop := s.run()
	s.publish(3)
	s.awaitRecorded(3)
	if r.LostAt() != 0 || r.Missing() != 0 || r.Lost() != 0 {
		t.Error("reports are missing while all are recorded")
	}
	stop()
	s.publish(7)
	s.b.Discard(event.ReportStream, 8) // 4 to 7
	r, stop = s.run()
	s.awaitRecorded(6)
	s.awaitLost(r, 4, 4)
	bustest.Await(t, "the note", func() bool { return len(s.notes()) == 1 })
	if text := s.notes()[0].Text; !strings.HasPrefix(text, "4 reports are missing from before ") || !strings.Contains(text, "from number 4 ") {
		t.Errorf("the note says %q", text)
	}
	at := r.LostAt()
	stop()

	r, stop = s.run()
	s.publish(1)
	s.awaitRecorded(7)
	s.awaitLost(r, 0, 4)
	if r.LostAt() != at {
		t.Errorf("lost at %d, after a restart at %d", at, r.LostAt())
	}
	web, ack := s.b.Connect("web"), acknowledged(event.LostAlarm)
	bustest.Await(t, "the acknowledgement to be published", func() bool { return web.PublishNote(t.Context(), ack) == nil })
	bustest.Await(t, "the acknowledgement to count", func() bool { return r.LostAt() == 0 && r.Missing() == 0 })
	stop()

	s.publish(2)
	s.b.Discard(event.ReportStream, 13) // 12
	r, _ = s.run()
	s.awaitRecorded(8)
	s.awaitLost(r, 1, 1)
	bustest.Await(t, "its note, and the acknowledgement", func() bool { return len(s.notes()) == 3 })
}

// Transitions of alarms and notes that nobody can record any more, and reports that were
// lost with their stream, are missed as well, each with a note.
func TestLostAlarmsNotesAndStream(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	watchdog, web, keeper := s.b.Connect("watchdog"), s.b.Connect("web"), s.b.Connect("bus").KeepStreams(bus.Space{Bytes: 64 << 20})
	transitions := 0
	publish := func() {
		t.Helper()
		now := time.Now().UTC()
		for range 4 {
			transitions++
			raised := libra.Transition{ID: fmt.Sprint("t", transitions), At: now, Alarm: libra.Alarm{ID: "bus", State: libra.Raised, Since: now}}
			note := acknowledged("bus")
			note.ID = fmt.Sprint("n", transitions)
			if err := errors.Join(watchdog.PublishAlarm(t.Context(), raised), web.PublishNote(t.Context(), note)); err != nil {
				t.Fatal(err)
			}
		}
		s.publish(4)
	}
	recorded := func(transitions, notes int) {
		t.Helper()
		bustest.Await(t, "alarms and notes to be recorded", func() bool {
			t, alarmErr := s.read.Transitions(s.t.Context(), "bus", store.Mark{}, 99)
			n, noteErr := s.read.Notes(s.t.Context(), "bus", store.Mark{}, 99)
			return errors.Join(alarmErr, noteErr) == nil && len(t) == transitions && len(n) == notes
		})
	}
	_, stop := s.run()
	publish()
	s.awaitRecorded(4)
	recorded(4, 4)
	stop()

	publish()
	s.b.Discard(event.AlarmStream, 8) // 5 to 7
	s.b.Discard(event.NoteStream, 7)  // 5 and 6
	if _, err := keeper.Lost(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.b.Lose(event.ReportStream) // with 5 to 8
	if err := keeper.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, _ := s.run()
	s.publish(1)
	s.awaitRecorded(5)
	recorded(5, 6)
	s.awaitLost(r, 4, 4)
	bustest.Await(t, "5 others to be missing", func() bool { return r.MissingOthers() == 5 })
	bustest.Await(t, "the notes", func() bool { return len(s.notes()) == 3 })
	var texts []string
	for _, n := range s.notes() {
		texts = append(texts, n.Text)
	}
	for _, want := range []string{"4 reports are missing from ", "3 transitions are missing from ", "2 notes are missing from "} {
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.HasPrefix(text, want) }) {
			t.Errorf("no note begins with %q: %q", want, texts)
		}
	}
}

// What was lost with a stream is an alarm at once, also where nothing more comes on it;
// transitions are not, because the watchdog publishes again what is raised.
func TestLostStreamIsNoticedAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	watchdog, web, keeper := s.b.Connect("watchdog"), s.b.Connect("web"), s.b.Connect("bus").KeepStreams(bus.Space{Bytes: 64 << 20})
	raised := libra.Transition{ID: "t1", At: time.Now().UTC(), Alarm: libra.Alarm{ID: "bus", State: libra.Raised, Since: time.Now().UTC()}}
	publish := func(id string) {
		t.Helper()
		note := acknowledged("page.of.before")
		note.ID, raised.ID = "n"+id, "t"+id
		if err := errors.Join(web.PublishNote(t.Context(), note), watchdog.PublishAlarm(t.Context(), raised)); err != nil {
			t.Fatal(err)
		}
	}
	recorded := func(want int) {
		t.Helper()
		bustest.Await(t, "the transitions to be recorded", func() bool {
			list, err := s.read.Transitions(s.t.Context(), "bus", store.Mark{}, 99)
			return err == nil && len(list) == want
		})
	}
	_, stop := s.run()
	publish("1")
	recorded(1)
	bustest.Await(t, "the note to be recorded", func() bool {
		list, err := s.read.Notes(s.t.Context(), "", store.Mark{}, 99)
		return err == nil && len(list) == 1
	})
	stop()
	publish("2")
	publish("3")
	if lost, err := keeper.Lost(t.Context()); err != nil || len(lost) > 0 {
		t.Fatalf("lost %v, %v", lost, err)
	}
	s.b.Lose(event.NoteStream)
	s.b.Lose(event.AlarmStream)
	if err := keeper.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := watchdog.PublishAlarm(t.Context(), raised); err != nil {
		t.Fatal(err)
	}
	r, _ := s.run()
	recorded(2)
	bustest.Await(t, "2 notes to be missing", func() bool { return r.MissingOthers() == 2 && r.LostAt() != 0 && r.Missing() == 0 })
	bustest.Await(t, "the note about them", func() bool { return len(s.notes()) == 1 })
}

// A database is damaged while the bus is so full of reports that it lacks that requests are
// refused: the new one gets all of them, those that are published meanwhile too, and what
// the one before had.
func TestDamagedWhileTheBusIsFull(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.b.Resize(event.ReportStream, 128<<10)
	guard := s.b.Connect("bus")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = guard.GuardReports(ctx, time.Millisecond, nil) }) // it ends with ctx
	t.Cleanup(func() { cancel(); wg.Wait() })
	refused := func() bool { _, since := guard.Backlog(); return !since.IsZero() }

	_, stop := s.run()
	s.publish(10)
	s.awaitRecorded(10)
	stop()
	for !refused() {
		if s.publish(1); s.b.Stored(event.ReportStream) != s.published {
			t.Fatalf("the bus has discarded one of %d reports, and requests are accepted", s.published)
		}
		bustest.Await(t, "the guard to look", func() bool { now, _ := guard.Backlog(); return int(now.Reports) >= s.published-10 || refused() })
	}
	if backlog, _ := guard.Backlog(); backlog.Bytes < 0.9*backlog.Space {
		t.Errorf("refused with a backlog of %+v", backlog)
	}
	spoil(t, s.path)
	r, _ := s.run()
	s.publish(3) // of the inspections in progress
	s.awaitRecorded(s.published)
	bustest.Await(t, "requests to be accepted again", func() bool { return !refused() })
	if r.Lost() != 0 {
		t.Errorf("%d reports are said to be lost", r.Lost())
	}
}

// Reports that the bus has discarded and that the damaged database lacked, too, are a gap of
// the new one: the recorder knows where the damaged one ended, or can still read it there.
func TestGapOfDamagedDatabase(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(s *site, stop func()){
		"while it is read": func(s *site, _ func()) {
			s.lock()
			s.publish(30)
			s.b.Discard(event.ReportStream, 41)
			if err := os.Remove(s.path); err != nil {
				s.t.Fatal(err)
			}
		},
		"before the start": func(s *site, stop func()) {
			stop()
			s.publish(30)
			s.b.Discard(event.ReportStream, 41)
			spoil(s.t, s.path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			r, stop := s.run()
			s.publish(20)
			s.awaitRecorded(20)
			damage(s, stop)
			if name == "before the start" {
				r, _ = s.run()
			}
			s.awaitRecorded(10)
			s.awaitLost(r, 20, 20)
			bustest.Await(t, "the note", func() bool { return len(s.notes()) == 1 })
			if aside, err := filepath.Glob(s.path + ".damaged-*"); err != nil || len(aside) == 0 {
				t.Errorf("nothing was set aside: %v, %v", aside, err)
			}
		})
	}
}

// lock has another program write the database until the test ends.
func (s *site) lock() {
	s.t.Helper()
	db, err := sql.Open("sqlite3", s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(s.t.Context())
	if err == nil {
		_, err = conn.ExecContext(s.t.Context(), "BEGIN IMMEDIATE")
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// spoil overwrites the last page of a database that nobody writes.
func spoil(t *testing.T, path string) {
	t.Helper()
	const page = 4096
	db, err := sql.Open("sqlite3", path)
	if err == nil {
		_, err = db.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)") // or the log would repair the file
		err = errors.Join(err, db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("rubbish ", page/8)), info.Size()-page); err != nil {
		t.Fatal(err)
	}
	if w, err := store.Open(t.Context(), path); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("the database is not damaged: %v, %v", w, err)
	}
}
