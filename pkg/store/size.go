package store

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// usedPages is the size of what a database holds, in bytes. Free pages of the file,
// which are used again, are left out.
const usedPages = `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`

// Used is the size of what the database holds, in bytes.
func (w *Writer) Used(ctx context.Context) (n int64, err error) {
	return n, explain(w.path, w.db.QueryRowContext(ctx, usedPages).Scan(&n))
}

// Size says how large the history is, and how fast it grows.
type Size struct {
	Bytes   int64         // that it holds
	Reports int64         // of the last day
	Since   time.Duration // for how long there are some of these: a day, or less in a young history
	Disk    Disk
}

// lastDay is what Size.Reports counts.
const lastDay = 24 * time.Hour

// Size returns how large the history is at a time. Reports are counted by their
// places: it reads two of them, however many there are.
func (r *Reader) Size(ctx context.Context, now time.Time) (s Size, err error) {
	rows, done, err := r.query(ctx, `WITH first AS (SELECT rowid AS place, at FROM report WHERE at >= ? ORDER BY at LIMIT 1)
		SELECT (`+usedPages+`), coalesce((SELECT max(rowid) FROM report) - (SELECT place FROM first) + 1, 0), coalesce((SELECT at FROM first), ''), EXISTS (SELECT 1 FROM report WHERE at < ?)`,
		stamp(now.Add(-lastDay)), stamp(now.Add(-lastDay)))
	if err != nil {
		return s, explain(r.path, err)
	}
	defer done()
	for rows.Next() {
		var first string
		var older bool
		if err := rows.Scan(&s.Bytes, &s.Reports, &first, &older); err != nil {
			return s, explain(r.path, err)
		}
		if older {
			s.Since = lastDay
		}
		if older || first == "" {
			continue
		}
		at, err := time.Parse(timeFormat, first)
		if err != nil {
			return s, explain(r.path, err)
		}
		s.Since = now.Sub(at)
	}
	if err := rows.Err(); err != nil {
		return s, explain(r.path, err)
	}
	s.Disk, err = DiskOf(r.path)
	return s, err
}

// Disk is the file system of a database, in bytes, as df counts.
type Disk struct{ Used, Available int64 }

// Percent is how full it is; 0 where that is unknown.
func (d Disk) Percent() float64 {
	if d.Used+d.Available == 0 {
		return 0
	}
	return 100 * float64(d.Used) / float64(d.Used+d.Available)
}

// DiskOf looks at the file system of a database, which need not exist yet.
func DiskOf(path string) (Disk, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		return Disk{}, fmt.Errorf("look at the disk of %q: %w", path, err)
	}
	block := int64(fs.Bsize)
	return Disk{Used: int64(fs.Blocks-fs.Bfree) * block, Available: int64(fs.Bavail) * block}, nil
}
