package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

//go:embed migration/*.sql
var migrations embed.FS

// ErrSchema says that a later program has changed the database so that this one cannot use
// it. Only that program, or an earlier backup, is of use.
var ErrSchema = errors.New("the schema is of a later version of Libra")

// firstLevel is the level from which on each migration says, in its first line, whether
// programs that do not know it can use the database after it: worksMark, or breaksMark with
// the reason. Earlier programs refuse any database beyond their own level.
const (
	firstLevel = 7
	worksMark  = "-- earlier programs: work\n"
	breaksMark = "-- earlier programs: fail, "
)

// Schema is what this program knows of the schema: the number of its migrations, and the
// level of the oldest programs that can use a database which has all of them.
func Schema() (level, least int) {
	s, err := schemaOf(migrations)
	if err != nil {
		panic(err) // a test reads the same files
	}
	return s.level, s.least
}

type schema struct{ level, least int }

func schemaOf(files fs.FS) (s schema, err error) {
	names, err := fs.Glob(files, "migration/*.sql") // in order of their numbers
	if err != nil {
		return s, err
	}
	s = schema{level: len(names), least: min(firstLevel, len(names))}
	for i, name := range names[s.least:] { // from firstLevel on
		text, err := fs.ReadFile(files, name)
		switch {
		case err != nil:
			return s, err
		case strings.HasPrefix(string(text), breaksMark):
			s.least = firstLevel + i + 1
		case !strings.HasPrefix(string(text), worksMark):
			return s, fmt.Errorf("%s must begin with %q or %qREASON", name, worksMark, breaksMark)
		}
	}
	return s, nil
}

// Level is the number of migrations that the database at path has, 0 of a new one, and the
// level of the oldest programs that can use it.
func (r *Reader) Level(ctx context.Context) (level, least int, err error) {
	db, err := r.current()
	if err == nil {
		level, least, err = levelOf(ctx, db)
	}
	return level, least, explain(r.path, err)
}

// querier is a database, or one connection to it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func levelOf(ctx context.Context, db querier) (level, least int, err error) {
	var marked bool
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&level); err != nil {
		return 0, 0, err
	}
	if err := db.QueryRowContext(ctx, `SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'compatible'`).Scan(&marked); err != nil {
		return 0, 0, err
	}
	if !marked {
		return level, level, nil
	}
	err = db.QueryRowContext(ctx, `SELECT least FROM compatible`).Scan(&least)
	return level, least, err
}

// migrate applies the migrations that the database lacks, each in a transaction of its
// own. A database of a later program stays as it is.
func migrate(ctx context.Context, conn *sql.Conn, files fs.FS) error {
	known, err := schemaOf(files)
	if err != nil {
		return err
	}
	level, least, err := levelOf(ctx, conn)
	if err != nil {
		return err
	}
	if level > known.level && known.level < least {
		return fmt.Errorf("%w: level %d, which programs from level %d on can use, and this one has %d: install that version again (libra upgrade), or put an earlier backup back (libra restore --force)", ErrSchema, level, least, known.level)
	}
	names, err := fs.Glob(files, "migration/*.sql")
	if err != nil {
		return err
	}
	for ; level < len(names); level++ {
		text, err := fs.ReadFile(files, names[level])
		if err != nil {
			return err
		}
		if err := apply(ctx, conn, string(text), level+1, known.least); err != nil {
			return fmt.Errorf("migrate to %s: %w", filepath.Base(names[level]), err)
		}
	}
	return nil
}

// apply runs a migration. From firstLevel on the database says which programs can use it.
func apply(ctx context.Context, conn *sql.Conn, text string, level, least int) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if level > firstLevel {
		text += fmt.Sprintf(`
CREATE TABLE IF NOT EXISTS compatible (least INTEGER NOT NULL) STRICT; -- the level of the oldest programs that can use this database
DELETE FROM compatible;
INSERT INTO compatible VALUES (%d);`, least)
	}
	_, err = tx.ExecContext(ctx, text+fmt.Sprintf("\nPRAGMA user_version = %d;", level))
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return nil
}
