package notifier

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"

	"libra/pkg/libra"
)

// directQueue holds the transitions that came by the socket for one channel, up
// to maxDirect, of maxDirectBytes together. Its file outlives the process; it is in memory, so that no disk
// is waited for.
type directQueue struct {
	channel string
	file    string // "" for none
	nflog   *notificationLog
	log     *slog.Logger
	wake    chan struct{} // something came

	mu sync.Mutex
	directState
	size int // of the transitions in Waiting, as JSON
}

// directState is what is in the file of a queue. directQueue.mu guards it.
type directState struct {
	Waiting []notification `json:"waiting"` // in order; Repeat once a call was begun
	// Told are ids of transitions that earlier versions kept here.
	Told []string `json:"told,omitempty"`
}

const (
	maxDirect      = 1000
	maxDirectBytes = 4_000_000 // of transitions as JSON
)

// loadDirectQueue reads what an earlier process left.
func loadDirectQueue(channel, file string, nflog *notificationLog, log *slog.Logger) *directQueue {
	q := &directQueue{channel: channel, file: file, nflog: nflog, log: log, wake: make(chan struct{}, 1)}
	if file == "" {
		return q
	}
	err := readFile(file, &q.directState)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("cannot read what came by the socket before the restart, going on without", "file", file, "err", err)
	}
	for _, n := range q.Waiting {
		q.size += size(n.Transition)
	}
	for _, id := range q.Told {
		nflog.seen.add(id)
	}
	return q
}

// save writes the file. q.mu is held.
func (q *directQueue) save() {
	if q.file == "" {
		return
	}
	data, err := json.Marshal(q.directState)
	if err == nil {
		err = memoryFile(q.file).Write(data)
	}
	if err != nil {
		q.log.Warn("cannot save what came by the socket", "err", err)
	}
}

// accept queues a transition, once however often it comes. Its error wraps
// libra.ErrFull.
func (q *directQueue) accept(t libra.Transition) error {
	if q.nflog.knows(t.ID) {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if slices.ContainsFunc(q.Waiting, func(n notification) bool { return n.Transition.ID == t.ID }) {
		return nil
	}
	bytes := size(t)
	if len(q.Waiting) >= maxDirect || q.size+bytes > maxDirectBytes {
		return fmt.Errorf("queue %q: %w", q.channel, libra.ErrFull)
	}
	q.Waiting = append(q.Waiting, notification{Transition: t, Direct: true})
	q.size += bytes
	q.save()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return nil
}

// begin returns the head of the queue, as many as take says, and notes that they
// may have been sent, should this process end before the call of end.
func (q *directQueue) begin(take func(waiting int) int) []notification {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.Waiting), take(len(q.Waiting)))
	batch := slices.Clone(q.Waiting[:n])
	for i := range n {
		q.Waiting[i].Repeat = true
	}
	if n > 0 {
		q.save()
	}
	return batch
}

// end removes the first n, which are delivered.
func (q *directQueue) end(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, n := range q.Waiting[:n] {
		q.size -= size(n.Transition)
	}
	q.Waiting = slices.Delete(q.Waiting, 0, n)
	q.save()
}

// size is what t takes as JSON, in bytes.
func size(t libra.Transition) int {
	data, _ := json.Marshal(t) // it came as JSON
	return len(data)
}
