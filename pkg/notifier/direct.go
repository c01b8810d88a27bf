package notifier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"libra/pkg/libra"
)

// directQueue holds what came by the socket. Its channel's mutex guards it.
type directQueue struct {
	Waiting []delivery `json:"waiting"` // in order; Repeat once a call was begun
	// Told are ids that earlier versions kept here.
	Told []string `json:"told,omitempty"`

	file string
	log  *slog.Logger
}

// maxDirect bounds the list.
const maxDirect = 1000

// load takes up what an earlier process left.
func (q *directQueue) load(file string, log *slog.Logger) {
	q.file, q.log = file, log
	if file == "" {
		return
	}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, q)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("cannot use what was told before the restart, going on without", "file", file, "err", err)
	}
}

// keep writes the queue, into memory that outlives the process: no disk is
// waited for.
func (q *directQueue) keep() {
	if q.file == "" {
		return
	}
	data, err := json.Marshal(q)
	if err == nil {
		err = replaceFile(q.file, data)
	}
	if err != nil {
		q.log.Warn("cannot keep what came by the socket over a restart", "err", err)
	}
}

// accept queues a transition. Twice the same is one.
func (ch *channel) accept(t libra.Transition) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.ledger.seen.has(t.ID) || slices.ContainsFunc(ch.direct.Waiting, func(d delivery) bool { return d.Transition.ID == t.ID }) {
		return nil
	}
	if len(ch.direct.Waiting) >= maxDirect {
		return fmt.Errorf("queue %q: %w", ch.name, libra.ErrFull)
	}
	ch.direct.Waiting = append(ch.direct.Waiting, delivery{Transition: t, Direct: true})
	ch.direct.keep()
	select {
	case ch.wake <- struct{}{}:
	default:
	}
	return nil
}

// runDirect tells what came by the socket until ctx ends.
func (ch supervised) runDirect(ctx context.Context) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for ctx.Err() == nil {
		ch.loop.Allow(roundTime)
		batch := ch.beginDirect()
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
			case <-ch.wake:
			case <-beat.C:
			}
			continue
		}
		if ch.deliver(ctx, batch) == nil {
			ch.endDirect(batch)
		}
	}
}

// beginDirect takes the head of the queue, and notes that it may have been
// told, should this process end before endDirect.
func (ch *channel) beginDirect() []delivery {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	n := min(len(ch.direct.Waiting), ch.take(len(ch.direct.Waiting)))
	batch := slices.Clone(ch.direct.Waiting[:n])
	for i := range n {
		ch.direct.Waiting[i].Repeat = true
	}
	if n > 0 {
		ch.direct.keep()
	}
	return batch
}

func (ch *channel) endDirect(batch []delivery) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.direct.Waiting = slices.Delete(ch.direct.Waiting, 0, len(batch))
	ch.direct.keep()
}

// listen opens the socket, in place of one that a killed process left.
func (n *Notifier) listen() (net.Listener, error) {
	if n.cfg.Socket == "" {
		return nil, nil
	}
	if err := makeWay(n.cfg.Socket); err != nil {
		return nil, fmt.Errorf("listen for the watchdog: %w", err)
	}
	l, err := net.Listen("unix", n.cfg.Socket)
	if err != nil {
		return nil, fmt.Errorf("listen for the watchdog: %w", err)
	}
	// The folder says who may come; connecting needs the right to write.
	if err := os.Chmod(n.cfg.Socket, 0o666); err != nil {
		l.Close()
		return nil, fmt.Errorf("listen for the watchdog: %w", err)
	}
	return l, nil
}

func makeWay(socket string) error {
	info, err := os.Lstat(socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%q is there and no socket: move it away", socket)
	}
	return os.Remove(socket)
}

// serve answers POST /alarm with 202 once the transition is queued, until ctx
// ends.
func (n *Notifier) serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /alarm", func(w http.ResponseWriter, r *http.Request) {
		var t libra.Transition
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&t); err != nil || t.ID == "" || t.Alarm.ID == "" {
			http.Error(w, "that is no transition", http.StatusBadRequest)
			return
		}
		// Who is full hears of it from the bus, once that is back.
		var full []error
		all := n.running()
		for _, ch := range all {
			if err := ch.accept(t); err != nil {
				full = append(full, err)
			}
		}
		if len(all) == len(full) {
			http.Error(w, fmt.Sprintf("nobody can be told: %v", errors.Join(full...)), http.StatusServiceUnavailable)
			return
		}
		n.deps.Log.Info("alarm came past the bus", "alarm", t.Alarm.ID, "state", t.Alarm.State, "transition", t.ID)
		w.WriteHeader(http.StatusAccepted)
	})
	srv := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(n.deps.Log.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	err := srv.Serve(l)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("serve the watchdog's socket: %w", err)
}
