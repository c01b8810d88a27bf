// Package asyncfile saves a process's state in a file without waiting for a disk
// that hangs: of the values to save only the newest is written, by one goroutine
// at a time, and a caller waits for 300 ms at most. A file that cannot be written
// or read is logged; the process goes on without it.
package asyncfile

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"libra/pkg/statefile"
)

// File is a state file in JSON. Set the exported fields before its first use. Its
// methods may be called concurrently.
type File struct {
	Path string // "" saves nothing
	Sync bool   // survive a power cut, too
	Log  *slog.Logger

	mu      sync.Mutex
	next    []byte // under mu; waits to be written
	writing bool   // under mu
	failing bool   // under mu; the last write failed, which is logged
}

// saveWait is how long Save waits for the disk.
const saveWait = 300 * time.Millisecond

// Save writes v, and returns when it is written or has to wait.
func (f *File) Save(v any) {
	if f.Path == "" {
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		f.Log.Error("cannot encode state", "file", f.Path, "err", err)
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

func (f *File) writePending() {
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
			f.Log.Warn("cannot save state, a restart begins without it", "err", err)
		}
		f.failing = err != nil
		f.mu.Unlock()
	}
}

// maxFile bounds a file, in bytes. The largest has some hundred for each watched
// page, and the memory of the process (MemoryMax=64M) is full before.
const maxFile = 64_000_000

func (f *File) statefile() statefile.File {
	return statefile.File{Path: f.Path, Max: maxFile, Unsynced: !f.Sync}
}

// Load fills v. ok is false where there is no file, or one that cannot be used,
// which is set aside: the process starts without it.
func (f *File) Load(v any) (ok bool) {
	if f.Path == "" {
		return false
	}
	err := f.statefile().Load(func(data []byte) error { return json.Unmarshal(data, v) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Log.Warn("cannot use saved state, continuing without it", "file", f.Path, "err", err)
	}
	return err == nil
}

// Remove removes the file.
func (f *File) Remove() {
	if f.Path != "" {
		_ = f.statefile().Remove() // the next process finds it too old, at worst
	}
}
