package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"libra/pkg/event"
	"libra/pkg/store"
)

// later are the migrations of a later program: those of this one, and others.
func later(t *testing.T, more ...string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(store.Migrations, "migration/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := fs.ReadFile(store.Migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	for i, text := range more {
		files[fmt.Sprintf("migration/9%03d_later.sql", i)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

// A program goes on with a database to which a later one has only added something, and
// stores and reads as before.
func TestEarlierProgramUsesALaterDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	w := openWriter(t, path)
	if _, err := w.AddReports(t.Context(), []event.Reported{reported(1, 1)}, event.Position{Created: start, Sequence: 1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const work = "-- earlier programs: work\n"
	files := later(t, work+"ALTER TABLE report ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';", work+"CREATE TABLE more (id TEXT PRIMARY KEY) STRICT;")
	if err := store.Migrated(t.Context(), path, files); err != nil {
		t.Fatal(err)
	}
	w = openWriter(t, path)
	if n, err := w.AddReports(t.Context(), []event.Reported{reported(1, 1), reported(2, 1)}, event.Position{Created: start, Sequence: 2}); n != 1 || err != nil {
		t.Errorf("stored %d reports, %v", n, err)
	}
	r := store.NewReader(path)
	defer r.Close()
	level, least := store.Schema()
	if got, oldest, err := r.Level(t.Context()); got != level+2 || oldest != least || err != nil {
		t.Errorf("level %d, for programs from %d on, %v; want %d, %d", got, oldest, err, level+2, least)
	}
	if got, oldest, err := store.SchemaOf(files); got != level+2 || oldest != least || err != nil {
		t.Errorf("the later program has level %d, for programs from %d on, %v", got, oldest, err)
	}
	if err := store.Migrated(t.Context(), path, files); err != nil {
		t.Errorf("the later program, again: %v", err)
	}
}

// A program that cannot use a later database says so, and changes nothing.
func TestEarlierProgramRefusesAnIncompatibleDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	files := later(t, "-- earlier programs: fail, because reports have another key\nDROP TABLE report;", "-- earlier programs: work\nCREATE TABLE more (id TEXT PRIMARY KEY) STRICT;")
	if err := store.Migrated(t.Context(), path, files); err != nil {
		t.Fatal(err)
	}
	level, _ := store.Schema()
	if _, least, err := store.SchemaOf(files); least != level+1 || err != nil {
		t.Errorf("the later database is for programs from level %d on, %v; want %d", least, err, level+1)
	}
	w, err := store.Open(t.Context(), path)
	if err == nil {
		w.Close()
	}
	if !errors.Is(err, store.ErrSchema) || errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), "install that version again") {
		t.Errorf("open: %v", err)
	}
}

// Every new migration says whether earlier programs work with the database after it. One
// that says so only adds what they do not see.
func TestMigrationsSayWhetherEarlierProgramsWork(t *testing.T) {
	if _, _, err := store.SchemaOf(later(t, "CREATE TABLE more (id TEXT);")); err == nil {
		t.Error("a migration without a mark is accepted")
	}
	adds := regexp.MustCompile(`(?is)^(CREATE (TABLE|INDEX) .*|ALTER TABLE \w+ ADD COLUMN .*( DEFAULT .*|[^L] NULL)?)$`)
	names, err := fs.Glob(store.Migrations, "migration/*.sql")
	if err != nil || len(names) < 7 {
		t.Fatalf("%q, %v", names, err)
	}
	for _, name := range names[7:] {
		data, err := fs.ReadFile(store.Migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		text, works := strings.CutPrefix(string(data), "-- earlier programs: work\n")
		if !works {
			continue
		}
		text = regexp.MustCompile(`--[^\n]*`).ReplaceAllString(text, "")
		for statement := range strings.SplitSeq(text, ";") {
			statement = strings.TrimSpace(statement)
			if statement != "" && (!adds.MatchString(statement) || strings.Contains(statement, "ADD COLUMN") && strings.Contains(statement, "NOT NULL") && !strings.Contains(statement, "DEFAULT")) {
				t.Errorf("%s: earlier programs may not work after %q: say so, or only add tables, indexes and columns with a default", name, statement)
			}
		}
	}
}
