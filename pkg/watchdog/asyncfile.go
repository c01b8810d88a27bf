package watchdog

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"libra/pkg/statefile"
)

// asyncFile saves the newest of the values that it is given in a state file. A
// disk that hangs delays a caller for saveWait at most.
type asyncFile struct {
	path string // "" saves nothing
	sync bool   // survive a power cut, too
	log  *slog.Logger

	mu      sync.Mutex
	next    []byte // under mu; waits to be written
	writing bool   // under mu
	failing bool   // under mu; the last write failed, which is logged
}

// saveWait is how long the watchdog waits for its own file.
const saveWait = 300 * time.Millisecond

// save writes v, and returns when it is written or has to wait.
func (f *asyncFile) save(v any) {
	if f.path == "" {
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		f.log.Error("cannot encode state", "file", f.path, "err", err)
		return
	}
	f.mu.Lock()
	f.next = data
	if f.writing {
		f.mu.Unlock()
		return
	}
	f.writing = true
	f.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); f.writePending() }()
	bound := time.NewTimer(saveWait)
	defer bound.Stop()
	select {
	case <-done:
	case <-bound.C:
	}
}

func (f *asyncFile) writePending() {
	for {
		f.mu.Lock()
		data := f.next
		f.next = nil
		if data == nil {
			f.writing = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		err := f.statefile().Write(data)
		f.mu.Lock()
		if err != nil && !f.failing {
			f.log.Warn("cannot save state, a restart begins without it", "err", err)
		}
		f.failing = err != nil
		f.mu.Unlock()
	}
}

func (f *asyncFile) statefile() statefile.File {
	return statefile.File{Path: f.path, Unsynced: !f.sync}
}

// load fills v. ok is false where there is no file, or one that cannot be used,
// which is set aside: the watchdog starts without it.
func (f *asyncFile) load(v any) (ok bool) {
	if f.path == "" {
		return false
	}
	err := f.statefile().Load(func(data []byte) error { return json.Unmarshal(data, v) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.log.Warn("cannot use saved state, continuing without it", "file", f.path, "err", err)
	}
	return err == nil
}

func (f *asyncFile) remove() {
	if f.path != "" {
		_ = f.statefile().Remove() // the next process finds it too old, at worst
	}
}
