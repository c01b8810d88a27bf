package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// HoldLocked holds an exclusive transaction on the database at path, which is there, until
// ctx ends: nobody else can write meanwhile. held is called once it has it. Nothing is
// changed. Returns an error if it does not get it within 5 s.
func HoldLocked(ctx context.Context, path string, held func()) (err error) {
	db, err := open(path, url.Values{"mode": {"rw"}, "_busy_timeout": {"5000"}, "_txlock": {"exclusive"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 6*time.Second)
	defer cancel()
	conn, err := db.Conn(wait)
	if err != nil {
		return explain(path, err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(wait, "BEGIN EXCLUSIVE"); err != nil {
		return fmt.Errorf("lock database: %w", explain(path, err))
	}
	held()
	<-ctx.Done()
	end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancelEnd()
	if _, err := conn.ExecContext(end, "ROLLBACK"); err != nil {
		return fmt.Errorf("release database: %w", err)
	}
	return nil
}
