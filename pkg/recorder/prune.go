package recorder

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"libra/pkg/libra"
	"libra/pkg/store"
)

// A full disk stops everything that writes, so the history makes room before:
// reports that are older than a day and not a page's newest are removed, the
// oldest first, in small batches.
const (
	pruneEvery   = time.Minute
	pruneBatch   = 500 // reports in one transaction
	pruneBatches = 20  // transactions in one go, with records between them
	pruneAfter   = 24 * time.Hour
)

// prune checks the disk every pruneEvery until ctx ends.
func (r *Recorder) prune(ctx context.Context) {
	if r.cfg.PruneAt == 0 {
		return
	}
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		r.makeRoom(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// makeRoom prunes while the disk is too full, and notes what it removed.
func (r *Recorder) makeRoom(ctx context.Context) {
	var all store.Pruned
	full := r.usedPercent()
	for range pruneBatches {
		if ctx.Err() != nil || r.usedPercent() < r.cfg.PruneAt {
			break
		}
		p, err := withWriter(ctx, r, func(w *store.Writer) (store.Pruned, error) {
			return w.Prune(ctx, time.Now().Add(-pruneAfter), pruneBatch)
		})
		if err != nil {
			r.log.Warn("cannot make room on a full disk, retrying", "err", err)
			break
		}
		if p.Reports == 0 {
			break
		}
		all.Reports, all.Until = all.Reports+p.Reports, p.Until
	}
	if all.Reports == 0 {
		return
	}
	text := fmt.Sprintf("removed %s up to %s from the history, because the disk was %.0f %% full; it is %.0f %% full now",
		libra.Several(all.Reports, "report"), libra.FormatTime(all.Until), full, r.usedPercent())
	r.log.Warn(text)
	err := r.conn.PublishNote(ctx, libra.Note{ID: rand.Text(), Kind: libra.Action, At: time.Now().UTC(), By: "libra-recorder", Alarm: "disk", Text: text})
	if err != nil {
		r.log.Warn("cannot publish a note of what was removed", "err", err)
	}
}

// usedPercent is how full the file system of the database is; 0 where that is
// unknown.
func (r *Recorder) usedPercent() float64 {
	disk, _ := store.DiskOf(r.cfg.Path) // none where it cannot be looked at
	return disk.Percent()
}
