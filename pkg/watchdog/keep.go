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

// keeper keeps the newest of what it is given in a file, which is there whole
// or not at all. A disk that hangs holds up nobody for long.
type keeper struct {
	file string // "" keeps nothing
	sync bool   // survive a power cut, too
	log  *slog.Logger

	mu      sync.Mutex
	next    []byte // under mu; waits to be written
	writing bool   // under mu
	failing bool   // under mu; said so already
}

// patience is how long the watchdog waits for its own file.
const patience = 300 * time.Millisecond

// keep writes v, and returns when it is written, or has to wait its turn.
func (k *keeper) keep(v any) {
	if k.file == "" {
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		k.log.Error("cannot encode what to keep", "file", k.file, "err", err)
		return
	}
	k.mu.Lock()
	k.next = data
	if k.writing {
		k.mu.Unlock()
		return
	}
	k.writing = true
	k.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); k.drain() }()
	bound := time.NewTimer(patience)
	defer bound.Stop()
	select {
	case <-done:
	case <-bound.C:
	}
}

func (k *keeper) drain() {
	for {
		k.mu.Lock()
		data := k.next
		k.next = nil
		if data == nil {
			k.writing = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		err := k.state().Write(data)
		k.mu.Lock()
		if err != nil && !k.failing {
			k.log.Warn("cannot keep state over a restart, going on without", "err", err)
		}
		k.failing = err != nil
		k.mu.Unlock()
	}
}

func (k *keeper) state() statefile.File { return statefile.File{Path: k.file, Unsynced: !k.sync} }

// load fills v. ok is false where there is no file, or one that cannot be used,
// which is set aside: what is kept is an aid, never a reason not to start.
func (k *keeper) load(v any) (ok bool) {
	if k.file == "" {
		return false
	}
	err := k.state().Load(func(data []byte) error { return json.Unmarshal(data, v) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Warn("cannot use the state of before the restart, going on without", "file", k.file, "err", err)
	}
	return err == nil
}

func (k *keeper) remove() {
	if k.file != "" {
		_ = k.state().Remove() // the next process finds it too old, at worst
	}
}
