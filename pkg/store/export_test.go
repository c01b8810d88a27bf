package store

import (
	"context"
	"io/fs"
)

// Migrated opens a database as a program with other migrations does.
func Migrated(ctx context.Context, path string, files fs.FS) error {
	w, err := openWith(ctx, path, files)
	if err != nil {
		return err
	}
	return w.Close()
}

// SchemaOf is Schema of a program with other migrations.
func SchemaOf(files fs.FS) (level, least int, err error) {
	s, err := schemaOf(files)
	return s.level, s.least, err
}

// Migrations are those of this program.
var Migrations fs.FS = migrations
