package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func reported(page, n int) event.Reported {
	url := fmt.Sprintf("https://example.org/%d", page)
	return event.Reported{
		Request: event.Request{ID: fmt.Sprintf("r%d-%d", page, n), Page: libra.PageID(url), URL: url, Site: "home", Client: "alice", Asked: start},
		Attempt: 1, Inspector: "1", At: start.Add(time.Duration(n) * time.Second),
		Report: libra.Report{URL: url, Status: 200, Outcome: libra.Complete, ReasonList: libra.ReasonList{Reasons: []string{}}, Assets: []libra.Asset{{URL: url, Type: libra.Document}}},
	}
}

func ids(list []event.Reported) (ids []string) {
	for _, r := range list {
		ids = append(ids, r.Request.ID)
	}
	return ids
}

func openWriter(t *testing.T, path string) *store.Writer {
	t.Helper()
	w, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func TestReportsAreStoredOnce(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "a folder?", "libra.db")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	r := store.NewReader(path)
	defer r.Close()
	if err := r.Check(ctx); !errors.Is(err, libra.ErrUnavailable) {
		t.Errorf("Check before the file exists: %v", err)
	}
	w := openWriter(t, path)
	if err := r.Check(ctx); err != nil {
		t.Errorf("Check of an empty database: %v", err)
	}
	batch := []event.Reported{reported(1, 1), reported(2, 2), reported(1, 3), reported(3, 4)}
	for i, want := range []int{4, 0} { // storing again changes nothing
		if n, err := w.AddReports(ctx, batch, event.Position{Created: start, Sequence: 4}); err != nil || n != want {
			t.Fatalf("AddReports, time %d = %d, %v; want %d", i+1, n, err, want)
		}
	}
	if p, err := w.Position(ctx, event.ReportStream); err != nil || p != (event.Position{Created: start, Sequence: 4}) {
		t.Errorf("Position = %v, %v", p, err)
	}
	if p, err := w.Position(ctx, event.AlarmStream); err != nil || p != (event.Position{}) {
		t.Errorf("Position of a stream that was never stored = %v, %v", p, err)
	}
	got, err := r.Report(ctx, batch[0].Request.Page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(batch[2], got); diff != "" {
		t.Errorf("newest report (-want +got):\n%s", diff)
	}
	if got, err := r.ByRequest(ctx, "r1-1"); err != nil || got.Request.ID != "r1-1" {
		t.Errorf("ByRequest = %v, %v", got.Request.ID, err)
	}
	for _, get := range []func() error{
		func() error { _, err := r.Report(ctx, "nopage"); return err },
		func() error { _, err := r.ByRequest(ctx, "norequest"); return err },
	} {
		if err := get(); !errors.Is(err, libra.ErrNotFound) {
			t.Errorf("get something that is not stored: %v", err)
		}
	}
	for _, c := range []struct {
		before time.Time
		limit  int
		want   []string
	}{
		{time.Time{}, 9, []string{"r3-4", "r1-3", "r2-2"}},
		{time.Time{}, 2, []string{"r3-4", "r1-3"}},
		{start.Add(3 * time.Second), 9, []string{"r2-2"}},
	} {
		list, err := r.Latest(ctx, c.before, c.limit)
		if diff := cmp.Diff(c.want, ids(list)); diff != "" || err != nil {
			t.Errorf("Latest(%v, %d), %v (-want +got):\n%s", c.before, c.limit, err, diff)
		}
	}
}

// A failure does not hide the last successful report.
func TestFailureDoesNotHideTheLastSuccess(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	good, failed, only := reported(1, 1), reported(1, 2), reported(2, 3)
	failed.Report.Outcome, only.Report.Outcome = libra.Error, libra.Error
	if _, err := w.AddReports(ctx, []event.Reported{good, failed, only}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	for want, get := range map[string]func() (event.Reported, error){
		"r1-1": func() (event.Reported, error) { return r.Report(ctx, good.Request.Page) },
		"r1-2": func() (event.Reported, error) { return r.Failure(ctx, good.Request.Page) },
		"r2-3": func() (event.Reported, error) { return r.Report(ctx, only.Request.Page) },
	} {
		if got, err := get(); err != nil || got.Request.ID != want {
			t.Errorf("got %s, %v; want %s", got.Request.ID, err, want)
		}
	}
	if list, err := r.Latest(ctx, time.Time{}, 9); err != nil || !cmp.Equal(ids(list), []string{"r2-3", "r1-1"}) {
		t.Errorf("Latest = %v, %v", ids(list), err)
	}
	if newest, err := w.Newest(ctx); err != nil || !cmp.Equal(newest, []string{"r1-1", "r1-2", "r2-3"}) {
		t.Errorf("Newest = %v, %v", newest, err)
	}
	if got, err := w.ByRequest(ctx, "r1-2"); err != nil || got.Request.ID != "r1-2" {
		t.Errorf("ByRequest = %v, %v", got.Request.ID, err)
	}
}

func TestPartialReportDoesNotHideTheLastComplete(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	older, complete, partial, failed, other := reported(1, 1), reported(1, 2), reported(1, 3), reported(1, 4), reported(2, 5)
	partial.Report.Outcome, failed.Report.Outcome, other.Report.Outcome = libra.Partial, libra.Error, libra.Partial
	if _, err := w.AddReports(ctx, []event.Reported{older, complete, partial, failed, other}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Complete(ctx, complete.Request.Page); err != nil || got.Request.ID != "r1-2" {
		t.Errorf("Complete = %s, %v", got.Request.ID, err)
	}
	if got, err := r.Report(ctx, complete.Request.Page); err != nil || got.Request.ID != "r1-3" {
		t.Errorf("Report = %s, %v", got.Request.ID, err)
	}
	if _, err := r.Complete(ctx, other.Request.Page); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("Complete of a page without a complete report: %v", err)
	}
}

// Damage is noticed while the writer is open, and a new file takes the place.
func TestDamageIsNoticedAndSetAside(t *testing.T) {
	for name, damage := range map[string]func(path string) error{
		"deleted":   os.Remove,
		"truncated": func(path string) error { return os.Truncate(path, 100) },
		"replaced": func(path string) error {
			if err := os.WriteFile(path+".new", []byte("x"), 0o644); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "libra.db")
			w := openWriter(t, path)
			if err := w.Intact(); err != nil {
				t.Fatal(err)
			}
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			if err := w.Intact(); !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), name) {
				t.Errorf("Intact = %v", err)
			}
			aside, err := store.SetAside(path, false, start)
			if err != nil || !strings.HasPrefix(aside, path+".damaged-20260301T120000") {
				t.Errorf("SetAside = %q, %v", aside, err)
			}
			if err := openWriter(t, path).Intact(); err != nil {
				t.Errorf("the new one: %v", err)
			}
		})
	}
}

// Corrupt pages in the middle of the file are found when it is opened.
func TestOpenFindsCorruptPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	w := openWriter(t, path)
	var batch []event.Reported
	for n := range 500 {
		batch = append(batch, reported(n, n))
	}
	if _, err := w.AddReports(t.Context(), batch, event.Position{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, log := range []string{"-wal", "-shm"} { // all of it is in the file itself
		if err := os.Remove(path + log); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte(strings.Repeat("garbage!", 4096)), 8192); err != nil {
		t.Fatal(err)
	}
	if w, err := store.Open(t.Context(), path); !errors.Is(err, store.ErrDamaged) {
		if err == nil {
			w.Close()
		}
		t.Errorf("Open = %v, want ErrDamaged", err)
	}
}

func TestAlarmsAreStoredOnce(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	raised := libra.Transition{ID: "t1", At: start, Alarm: libra.Alarm{ID: "bus", State: libra.Raised, Severity: libra.Critical, Since: start}}
	cleared := libra.Transition{ID: "t2", At: start.Add(time.Second), Alarm: libra.Alarm{ID: "bus", State: libra.Cleared, Severity: libra.Critical, Since: start}}
	for range 2 {
		if err := w.AddAlarms(ctx, []libra.Transition{raised, cleared}, event.Position{}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Alarms(ctx, 9)
	if diff := cmp.Diff([]libra.Transition{cleared, raised}, got); diff != "" || err != nil {
		t.Errorf("Alarms, %v (-want +got):\n%s", err, diff)
	}
}

// A reader works without a writer, and reads the file that is at the path now.
func TestReaderFollowsThePath(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path := filepath.Join(dir, "libra.db")
	w := openWriter(t, path)
	if _, err := w.AddReports(ctx, []event.Reported{reported(1, 1)}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	r := store.NewReader(path)
	defer r.Close()
	if err := r.Check(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Report(ctx, reported(1, 1).Request.Page); err != nil {
		t.Errorf("reading without a writer: %v", err)
	}
	fresh := store.NewReader(path)
	defer fresh.Close()
	if _, err := fresh.Report(ctx, reported(1, 1).Request.Page); err != nil {
		t.Errorf("opening without a writer: %v", err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, path+".old"+suffix); err != nil {
			t.Fatal(err)
		}
	}
	w2 := openWriter(t, path)
	if _, err := w2.AddReports(ctx, []event.Reported{reported(2, 1)}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	if list, err := r.Latest(ctx, time.Time{}, 9); err != nil || !cmp.Equal(ids(list), []string{"r2-1"}) {
		t.Errorf("after the file was replaced: %v, %v", ids(list), err)
	}
}

func TestOpenNamesTheFileAndTheFault(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("this is no database ", 500)), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "no", "folder.db"): "does not exist yet",
		garbage:                               "damaged",
	} {
		w, err := store.Open(ctx, path)
		if err == nil {
			w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("Open(%q) = %v; want an error about %q", path, err, want)
		}
	}
}

func BenchmarkAddReports(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) {
			w, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "libra.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			n := 0
			for b.Loop() {
				batch := make([]event.Reported, size)
				for i := range batch {
					n++
					batch[i] = reported(n%100, n)
				}
				if _, err := w.AddReports(b.Context(), batch, event.Position{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "reports/s")
		})
	}
}

func TestSinceIsTheCreationOrTheFirstRequest(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	r := store.NewReader(path)
	defer r.Close()
	before := time.Now().Truncate(time.Second)
	w := openWriter(t, path)
	if at, err := r.Since(ctx); err != nil || at.Before(before) || at.After(time.Now()) {
		t.Errorf("made at %v: %v, %v", before, at, err)
	}
	if _, err := w.AddReports(ctx, []event.Reported{reported(1, 1)}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "DROP TABLE birth; DROP TABLE gap; DROP TABLE board; PRAGMA user_version = 3"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if at, err := r.Since(ctx); !errors.Is(err, libra.ErrUnavailable) {
		t.Errorf("of an older version: %v, %v", at, err)
	}
	openWriter(t, path)
	if at, err := r.Since(ctx); err != nil || !at.Equal(start) {
		t.Errorf("after the upgrade: %v, %v; want %v", at, err, start)
	}
}

// A database that was truncated to nothing while no writer had it open is damaged, and not a
// new one: a reader that has it open would keep the writer from making one of it.
func TestTruncatedWhileClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	w := openWriter(t, path)
	if _, err := w.AddReports(t.Context(), []event.Reported{reported(1, 1)}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	r := store.NewReader(path)
	defer r.Close()
	if err := r.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), os.Truncate(path, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), path); !errors.Is(err, store.ErrDamaged) {
		t.Fatalf("Open: %v", err)
	}
	if _, err := store.SetAside(path, false, start); err != nil {
		t.Fatal(err)
	}
	w = openWriter(t, path)
	if _, err := w.AddReports(t.Context(), []event.Reported{reported(1, 2)}, event.Position{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Report(t.Context(), reported(1, 2).Request.Page); err != nil {
		t.Errorf("of the new database: %v", err)
	}
}
