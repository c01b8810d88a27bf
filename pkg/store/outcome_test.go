package store_test

import (
	"bytes"
	"compress/flate"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/store"
)

// databaseOfVersion4 makes a database as Libra made it when a page without an
// answer was "failed", and one that answered 404 "complete".
func databaseOfVersion4(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	files, err := filepath.Glob("migration/000[1-4]_*.sql")
	if err != nil || len(files) != 4 {
		t.Fatalf("migrations %q, %v", files, err)
	}
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		exec(string(text))
	}
	exec("PRAGMA user_version = 4")
	for page, answers := range map[string][]struct {
		outcome string
		status  int
	}{
		"once":  {{"complete", 200}, {"complete", 404}, {"failed", 0}},
		"short": {{"complete", 200}, {"partial", 200}, {"partial", 500}},
		"never": {{"failed", 0}, {"complete", 404}},
		"loop":  {{"partial", 302}},
	} {
		exec("INSERT INTO page VALUES (?, ?, ?)", page, "https://example.org/"+page, "2026-03-01T12:00:00Z")
		for i, a := range answers {
			at, id := start.Add(time.Duration(i)*time.Minute).Format("2006-01-02T15:04:05.000000000Z"), fmt.Sprintf("%s-%d", page, i)
			var body bytes.Buffer
			z, _ := flate.NewWriter(&body, flate.BestSpeed)
			fmt.Fprintf(z, `{"request":{"id":%q,"page":%q},"at":%q,"report":{"outcome":%q,"status":%d,"reasons":[]}}`, id, page, at, a.outcome, a.status)
			z.Close()
			exec("INSERT INTO report VALUES (?, ?, ?, ?, ?, 1, 1, 1, ?)", id, page, at, a.outcome, a.status, body.Bytes())
		}
	}
}

// A database of an earlier version is read as if this one had written it: what was
// failed, or answered with a status other than 2xx, is an error.
func TestReportsOfEarlierVersionsAreErrors(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	databaseOfVersion4(t, path)
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	for page, want := range map[string]struct{ report, failure, complete string }{
		"once":  {"once-0", "once-2", "once-0"},
		"short": {"short-1", "short-2", "short-0"},
		"never": {"never-1", "never-1", ""},
		"loop":  {"loop-0", "loop-0", ""},
	} {
		report, err := r.Report(ctx, page)
		if err != nil || report.Request.ID != want.report || (report.Report.Outcome == libra.Error) != (want.complete == "") {
			t.Errorf("%s: Report = %s, %s, %v; want %s", page, report.Request.ID, report.Report.Outcome, err, want.report)
		}
		failure, err := r.Failure(ctx, page)
		if err != nil || failure.Request.ID != want.failure || failure.Report.Outcome != libra.Error {
			t.Errorf("%s: Failure = %s, %s, %v; want %s", page, failure.Request.ID, failure.Report.Outcome, err, want.failure)
		}
		complete, err := r.Complete(ctx, page)
		if complete.Request.ID != want.complete || (want.complete == "") != errors.Is(err, libra.ErrNotFound) {
			t.Errorf("%s: Complete = %s, %v; want %q", page, complete.Request.ID, err, want.complete)
		}
	}
	if newest, err := w.Newest(ctx); err != nil || len(newest) != 6 {
		t.Errorf("Newest = %q, %v; want the newest good one and the newest error of each page", newest, err)
	}
}
