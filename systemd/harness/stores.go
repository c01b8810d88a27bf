package harness

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus"
	"libra/pkg/event"
)

// Database returns the host's path of the history.
func (h *Harness) Database() string { return h.State("history", "libra.db") }

// RecordedReports counts the reports in SQLite by page. It returns an error if the
// database cannot be read.
func (h *Harness) RecordedReports() (map[string]int, error) {
	db, err := sql.Open("sqlite3", "file:"+h.Database()+"?mode=ro&_busy_timeout=1000&_query_only=on")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query("SELECT page, count(*) FROM report GROUP BY page")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	pages := map[string]int{}
	for rows.Next() {
		var page string
		var n int
		if err := rows.Scan(&page, &n); err != nil {
			return nil, err
		}
		pages[page] = n
	}
	return pages, rows.Err()
}

// RecordedBoard lists the texts of the notes on the board in SQLite that begin with prefix,
// in order.
func (h *Harness) RecordedBoard(prefix string) (texts []string, err error) {
	db, err := sql.Open("sqlite3", "file:"+h.Database()+"?mode=ro&_busy_timeout=1000&_query_only=on")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(`SELECT body ->> '$.text' AS text FROM board WHERE substr(text, 1, ?) = ? ORDER BY at, id`, len(prefix), prefix)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, rows.Err()
}

// QuickCheck returns the result of SQLite's quick_check: "ok", or a fault.
func (h *Harness) QuickCheck() (string, error) { return h.pragma("mode=ro", "quick_check(1)") }

// Checkpoint moves the history's write-ahead log into its file.
func (h *Harness) Checkpoint() error {
	_, err := h.pragma("_busy_timeout=5000", "wal_checkpoint(TRUNCATE)")
	return err
}

func (h *Harness) pragma(params, pragma string) (result string, err error) {
	db, err := sql.Open("sqlite3", "file:"+h.Database()+"?"+params)
	if err != nil {
		return "", err
	}
	defer db.Close()
	rows, err := db.Query("PRAGMA " + pragma)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		columns, err := rows.Columns()
		if err != nil {
			return "", err
		}
		values := make([]any, len(columns))
		values[0] = &result
		for i := range values[1:] {
			values[i+1] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return "", err
		}
	}
	return result, rows.Err()
}

// LockHistory takes the history's write lock, as another program might.
func (h *Harness) LockHistory(t testing.TB) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+h.Database()+"?_txlock=immediate&_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Errorf("release the lock of the history: %v", err)
		}
		db.Close()
	}
}

func (h *Harness) seed(role string) string { return h.State("keys", role+".nk") }

func (h *Harness) busURL() string { return fmt.Sprintf("nats://127.0.0.1:%d", h.BusPort) }

// Bus connects to the appliance's bus with the key of a role.
func (h *Harness) Bus(t testing.TB, role string) *bus.Conn {
	t.Helper()
	conn, err := bus.Connect(bus.Config{URL: h.busURL(), Seed: h.seed(role), Role: role, Name: "suite-" + role, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := conn.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return conn
}

// PagesOnBus counts the pages with a report on the bus; 0 while the bus is down.
func (h *Harness) PagesOnBus(t testing.TB) int {
	t.Helper()
	opt, err := nats.NkeyOptionFromSeed(h.seed("web"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(h.busURL(), opt, nats.CustomInboxPrefix("_INBOX_web"))
	if err != nil {
		return 0
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	stream, err := js.Stream(ctx, event.ReportStream)
	if err != nil {
		return 0
	}
	return int(stream.CachedInfo().State.NumSubjects)
}

// jetStream connects to the running bus with the bus's own key, which permits everything.
func (h *Harness) jetStream(t testing.TB) (js jetstream.JetStream, stop func()) {
	t.Helper()
	opt, err := nats.NkeyOptionFromSeed(h.seed("bus"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(h.busURL(), opt, nats.CustomInboxPrefix("_INBOX_bus"))
	if err != nil {
		t.Fatal(err)
	}
	if js, err = jetstream.New(conn); err != nil {
		t.Fatal(err)
	}
	return js, conn.Close
}

// OpenByFlow counts the stored requests of each flow.
func (h *Harness) OpenByFlow(t testing.TB) map[string]int {
	t.Helper()
	js, stop := h.jetStream(t)
	defer stop()
	stream, err := js.Stream(t.Context(), event.RequestStream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(event.AllRequests))
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]int{}
	for subject := range info.State.Subjects {
		if at, ok := event.RequestOf(subject); ok {
			open[at.Flow]++
		}
	}
	return open
}

// LoseStream deletes a stream of the running bus.
func (h *Harness) LoseStream(t testing.TB, name string) {
	t.Helper()
	js, stop := h.jetStream(t)
	defer stop()
	if err := js.DeleteStream(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// DiscardReports removes all reports but the newest from the running bus.
func (h *Harness) DiscardReports(t testing.TB) {
	t.Helper()
	js, stop := h.jetStream(t)
	defer stop()
	s, err := js.Stream(t.Context(), event.ReportStream)
	if err == nil {
		err = s.Purge(t.Context(), jetstream.WithPurgeKeep(1))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// PauseWatches stops the delivery of due watches to the inspectors, or resumes it.
func (h *Harness) PauseWatches(t testing.TB, pause bool) {
	t.Helper()
	js, stop := h.jetStream(t)
	defer stop()
	var err error
	if pause {
		_, err = js.PauseConsumer(t.Context(), event.WatchStream, "due", time.Now().Add(time.Hour))
	} else {
		_, err = js.ResumeConsumer(context.WithoutCancel(t.Context()), event.WatchStream, "due")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// WipeBus removes the store of the stopped bus.
func (h *Harness) WipeBus(t testing.TB) {
	t.Helper()
	if err := empty(h.State("bus")); err != nil {
		t.Fatal(err)
	}
}

// WipeHistory removes the database, whether or not it is in use.
func (h *Harness) WipeHistory(t testing.TB) {
	t.Helper()
	if err := empty(h.State("history")); err != nil {
		t.Fatal(err)
	}
}

// CorruptHistory overwrites every second page of the database, in place.
func (h *Harness) CorruptHistory(t testing.TB) {
	t.Helper()
	if err := h.Checkpoint(); err != nil { // or the log would repair the file
		t.Fatal(err)
	}
	f, err := os.OpenFile(h.Database(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(4096); at < info.Size(); at += 2 * 4096 {
		if _, err := f.WriteAt(bytes.Repeat([]byte("garbage!"), 512), at); err != nil {
			t.Fatal(err)
		}
	}
}

// DamagedDatabases lists the databases that were set aside, with their -wal and
// -shm.
func (h *Harness) DamagedDatabases(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(h.Database() + ".damaged-*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// RemoveDamagedDatabases removes them, as the alarm asks an operator to.
func (h *Harness) RemoveDamagedDatabases(t testing.TB) {
	t.Helper()
	for _, f := range h.DamagedDatabases(t) {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
}

// empty removes the content of a folder and keeps the folder, which may be a mount
// point.
func empty(dir string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.RemoveAll(filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// OpenRequests counts the requests that wait for a report; -1 if libra-web does
// not answer.
func (h *Harness) OpenRequests(t testing.TB) int {
	t.Helper()
	var doc struct {
		Counts struct {
			Open int `json:"open_requests"`
		}
	}
	code, body := h.Get(t, "/api/status")
	if code != 200 || json.Unmarshal([]byte(body), &doc) != nil {
		return -1
	}
	return doc.Counts.Open
}

// Goroutines returns the number of goroutines of each unit, from its heartbeat.
func (h *Harness) Goroutines(t testing.TB) map[string]int {
	t.Helper()
	var doc struct {
		Components []struct {
			Component, Instance string
			Counters            map[string]int
		}
	}
	if code, body := h.Get(t, "/api/status"); code != 200 || json.Unmarshal([]byte(body), &doc) != nil {
		t.Fatalf("GET /api/status: %d %s", code, body)
	}
	units := map[string]int{}
	for _, c := range doc.Components {
		units[c.Component] = c.Counters["goroutines"]
		units[c.Component+"@"+c.Instance] = c.Counters["goroutines"]
	}
	return units
}
