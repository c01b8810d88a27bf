package store

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"sync"
	"time"

	"libra/pkg/event"
)

// Reader reads a database that another process writes. The file may be created
// later, be deleted and be replaced: each query runs on the file that is at the
// path then. Its methods may be called concurrently; they return
// libra.ErrUnavailable while the file cannot be read.
type Reader struct {
	path string

	mu   sync.Mutex
	db   *sql.DB     // under mu; nil until opened
	file os.FileInfo // under mu; the file that db has open
}

// NewReader returns a reader of path. It opens the file with the first query.
func NewReader(path string) *Reader { return &Reader{path: path} }

// Close closes the reader.
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

// Check returns nil if the database can be read.
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

// Since returns the time from which on the history is complete: when the database
// was created, or the first request of a database that is older than this record.
func (r *Reader) Since(ctx context.Context) (at time.Time, err error) {
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

// Position returns the position up to which a stream is stored, as Writer.Position does.
func (r *Reader) Position(ctx context.Context, stream string) (p event.Position, err error) {
	rows, done, err := r.query(ctx, `SELECT created, sequence FROM position WHERE stream = ?`, stream)
	if err != nil {
		return p, explain(r.path, err)
	}
	defer done()
	for rows.Next() {
		var created string
		if err := rows.Scan(&created, &p.Sequence); err != nil {
			return event.Position{}, explain(r.path, err)
		}
		if p.Created, err = time.Parse(timeFormat, created); err != nil {
			return event.Position{}, explain(r.path, err)
		}
	}
	return p, explain(r.path, rows.Err())
}

// query runs a query on the file that is at the path now.
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
		r.db.Close() // does not wait: running queries fail, once
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
