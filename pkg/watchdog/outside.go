package watchdog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// callOutside requests HeartbeatURL for as long as rounds grow: an evaluator that
// hangs is as bad as one that is gone. The URL often contains a key, and is not
// logged.
func (w *Watchdog) callOutside(ctx context.Context, rounds func() int64) {
	cfg := w.config()
	tick := time.NewTicker(cfg.HeartbeatEvery)
	defer tick.Stop()
	client := &http.Client{Timeout: 10 * time.Second}
	failing, last := false, int64(-1)
	for {
		if now := rounds(); now != last {
			last = now
			err := callURL(ctx, client, cfg.HeartbeatURL)
			if err != nil && !failing && ctx.Err() == nil {
				w.deps.Log.Warn("outside heartbeat failed, retrying", "err", err)
			} else if err == nil && failing {
				w.deps.Log.Info("outside heartbeat succeeded again")
			}
			failing = err != nil
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ReadHeartbeatURL reads Config.HeartbeatURL from a file. A file that is not
// there, is empty or contains "off" means none. Errors never show its content.
func ReadHeartbeatURL(file string) (string, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("read the heartbeat's URL: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" || text == "off" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(text, " \t\n") {
		return "", fmt.Errorf("read the heartbeat's URL: invalid file %q: it must contain one URL that starts with https://, alone on a line; or remove the file", file)
	}
	return text, nil
}

func callURL(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("invalid heartbeat URL")
	}
	resp, err := client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the service answered %s", resp.Status)
	}
	return nil
}
