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
	"time"

	"libra/pkg/libra"
)

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
	// The mode of the folder limits who connects; connecting needs the right to write.
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
			http.Error(w, "invalid transition: must be JSON with an id and an alarm.id", http.StatusBadRequest)
			return
		}
		// A channel whose queue is full receives it from the bus later.
		var full []error
		all := n.running()
		for _, ch := range all {
			if err := ch.direct.accept(t); err != nil {
				full = append(full, err)
			}
		}
		if len(all) == len(full) {
			http.Error(w, fmt.Sprintf("cannot queue the notification: %v", errors.Join(full...)), http.StatusServiceUnavailable)
			return
		}
		n.deps.Log.Info("alarm received by the socket", "alarm", t.Alarm.ID, "state", t.Alarm.State, "transition", t.ID)
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
