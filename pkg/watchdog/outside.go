package watchdog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// vitals are the newest readings of what must be well for an outside heartbeat:
// of the bus, of web, and of the notifier's heartbeats.
type vitals struct {
	mu    sync.Mutex
	fresh time.Duration          // older readings say nothing
	of    map[string]observation // under mu; by alarm
}

// newVitals expects readings of those of the probes that are vital.
func newVitals(cfg Config, probes []*probe) *vitals {
	v := &vitals{fresh: 3 * (cfg.Interval + cfg.Timeout), of: map[string]observation{}}
	for _, p := range probes {
		switch p.alarm.ID {
		case busAlarm, webAlarm, notifierAlarm:
			v.of[p.alarm.ID] = observation{probe: p}
		}
	}
	return v
}

func (v *vitals) note(o observation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, vital := v.of[o.probe.alarm.ID]; vital {
		v.of[o.probe.alarm.ID] = o
	}
}

// wrong names what is not known to be well now; "" for nothing.
func (v *vitals) wrong() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var wrong []string
	for id, o := range v.of {
		if o.reading.Verdict != Pass || time.Since(o.at) > v.fresh {
			wrong = append(wrong, id)
		}
	}
	slices.Sort(wrong)
	return strings.Join(wrong, ", ")
}

// callOutside requests HeartbeatURL while rounds grow and nothing vital is wrong: an
// evaluator that hangs, or an appliance that serves nobody, is as bad as one that is
// gone. Services differ in how one reports a failure, and all of them notice that
// nothing comes. The URL often contains a key, and is not logged.
func (w *Watchdog) callOutside(ctx context.Context, rounds func() int64, wrong func() string) {
	cfg := w.config()
	pause := min(cfg.Interval, cfg.HeartbeatEvery)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	client := &http.Client{Timeout: 10 * time.Second}
	failing, last := false, int64(-1)
	var called time.Time
	withheld := ""
	for {
		now, why := rounds(), wrong()
		if why != withheld && why != "" {
			w.deps.Log.Warn("outside heartbeat withheld", "not_healthy", why)
		} else if why != withheld {
			w.deps.Log.Info("outside heartbeat no longer withheld")
		}
		withheld = why
		if why == "" && now != last && time.Since(called) > cfg.HeartbeatEvery-pause/2 {
			last, called = now, time.Now()
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
