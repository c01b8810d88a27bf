package store

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"sync"
	"time"
)

// Reader reads a database that another process writes. The file may come
// later, go away and be replaced: the reader follows the path, not the file
// it happened to open first. Its methods may be called concurrently.
type Reader struct {
	path string

	mu   sync.Mutex
	db   *sql.DB     // under mu; nil until opened
	file os.FileInfo // under mu; the file that db has open
}

// NewReader opens nothing yet, so it cannot fail.
func NewReader(path string) *Reader { return &Reader{path: path} }

// Close ends the reader.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == nil {
		return nil
	}
	err := r.db.Close()
	r.db = nil
	return err
}

// Check reads something: nil means that the database answers.
func (r *Reader) Check(ctx context.Context) error {
	rows, done, err := r.query(ctx, `SELECT max(at) FROM report`)
	if err != nil {
		return explain(r.path, err)
	}
	defer done()
	for rows.Next() {
	}
	return explain(r.path, rows.Err())
}

// Birth is since when the history goes: when the database was made, or of one
// that is older than this record, its first request.
func (r *Reader) Birth(ctx context.Context) (at time.Time, err error) {
	rows, done, err := r.query(ctx, `SELECT at FROM birth`)
	if err != nil {
		return at, explain(r.path, err)
	}
	defer done()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return at, explain(r.path, err)
		}
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return at, explain(r.path, err)
		}
	}
	return at, explain(r.path, rows.Err())
}

// query runs a query on the file that stands at the path now.
func (r *Reader) query(ctx context.Context, query string, args ...any) (*sql.Rows, func(), error) {
	db, err := r.current()
	if err != nil {
		return nil, nil, err
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	return rows, func() { rows.Close() }, nil
}

func (r *Reader) current() (*sql.DB, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	file, err := os.Stat(r.path)
	if err != nil {
		return nil, err
	}
	if r.db != nil && os.SameFile(file, r.file) {
		return r.db, nil
	}
	if r.db != nil {
		r.db.Close() // waits for no query: those that run see an error, once
		r.db = nil
	}
	db, err := open(r.path, url.Values{"mode": {"ro"}, "_busy_timeout": {"1000"}, "_query_only": {"on"}, "_cache_size": {"-2000"}})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(1)
	r.db, r.file = db, file
	return db, nil
}
