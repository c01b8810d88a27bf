package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
)

// newHandler writes logs for their reader: under journald one line of
// key=value with the priority as a "<N>" prefix and no time (the journal has
// both), elsewhere slog's text.
func newHandler(w io.Writer, level slog.Leveler, getenv func(string) string) slog.Handler {
	if getenv("JOURNAL_STREAM") == "" {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
	}
	j := &journalHandler{mu: &sync.Mutex{}, buf: &bytes.Buffer{}, w: w}
	j.Handler = slog.NewTextHandler(j.buf, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}})
	return j
}

// journalHandler puts sd-daemon(3)'s priority before each line.
type journalHandler struct {
	slog.Handler
	mu  *sync.Mutex
	buf *bytes.Buffer // under mu; what Handler writes to
	w   io.Writer     // under mu
}

func (j *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.buf.Reset()
	j.buf.WriteString(priority(r.Level))
	if err := j.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := j.w.Write(j.buf.Bytes())
	return err
}

func (j *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journalHandler{j.Handler.WithAttrs(attrs), j.mu, j.buf, j.w}
}

func (j *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{j.Handler.WithGroup(name), j.mu, j.buf, j.w}
}

// logSetting says how much is logged.
func logSetting(level *slog.LevelVar) Setting {
	levels := map[string]slog.Level{"info": slog.LevelInfo, "debug": slog.LevelDebug}
	return Setting{Name: "log", Default: "info", Usage: "`level` from which on lines are logged: info or debug", Into: func(text string) error {
		l, known := levels[text]
		if !known {
			return errors.New("must be info or debug")
		}
		level.Set(l)
		return nil
	}}
}

func priority(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "<3>"
	case l >= slog.LevelWarn:
		return "<4>"
	case l >= slog.LevelInfo:
		return "<6>"
	}
	return "<7>"
}
