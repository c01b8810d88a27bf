package upgrade

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// health is what libra-web says of everything at one time.
type health struct {
	troubles []string // what is degraded, unknown or refused, and alarms; sorted
	beats    []beat
	answered figures
	usual    figures // without an upgrade
}

// beat is a component by its heartbeats, as /api/status has it.
type beat struct {
	Component string           `json:"component"`
	Instance  string           `json:"instance"`
	Version   string           `json:"version"`
	State     string           `json:"state"`
	Status    string           `json:"status"`
	PID       int              `json:"pid"`
	Counters  map[string]int64 `json:"counters"`
}

// figures count what goes wrong, and what it is a share of.
type figures struct {
	answers, failed int64 // of libra-web; failed are those with 500, 502 …
	pages, silent   int64 // inspected; silent are those whose host gave no answer
	refused         int64 // messages of the bus that disagree with their subject
}

// String is for the progress.
func (h health) String() string {
	return fmt.Sprintf("heartbeats of %s; errors among answers: %d of %d", libra.Several(len(h.beats), "component"), h.usual.failed, h.usual.answers)
}

// beat finds the heartbeats of a unit's process.
func (h health) beat(one unit, pid string) (beat, bool) {
	i := slices.IndexFunc(h.beats, func(b beat) bool {
		return b.Component == one.component && (one.instance == "" || b.Instance == one.instance) && strconv.Itoa(b.PID) == pid
	})
	if i < 0 {
		return beat{}, false
	}
	return h.beats[i], true
}

// httpClient asks libra-web, which may be restarting.
var httpClient = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// mostAnswer bounds an answer of libra-web, in bytes.
const mostAnswer = 16 << 20

func (u *upgrader) get(ctx context.Context, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Server+path, nil)
	if err != nil {
		return err
	}
	res, err := httpClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", u.Server+path, res.Status)
	}
	return read(io.LimitReader(res.Body, mostAnswer))
}

// look asks libra-web for the health of everything.
func (u *upgrader) look(ctx context.Context) (h health, err error) {
	type part struct{ Part, What, Component string }
	var status struct {
		Status                     string
		Unknown, Refused, Degraded []part
		Components                 []beat
	}
	if err := u.get(ctx, "/api/status", func(r io.Reader) error { return json.NewDecoder(r).Decode(&status) }); err != nil {
		return h, err
	}
	var alarms struct {
		Alarms []struct{ ID, Scope, Severity, Summary string }
	}
	if err := u.get(ctx, "/api/alarms?state=raised", func(r io.Reader) error { return json.NewDecoder(r).Decode(&alarms) }); err != nil {
		return h, err
	}
	h.beats = status.Components
	for _, p := range slices.Concat(status.Unknown, status.Refused, status.Degraded) {
		h.troubles = append(h.troubles, strings.TrimSpace(cmp.Or(p.Part, p.What, "?")+" "+p.Component))
	}
	for _, a := range alarms.Alarms {
		if a.Scope != "page" && a.Severity != "minor" && a.ID != AlarmID {
			h.troubles = append(h.troubles, "alarm "+a.ID+": "+a.Summary)
		}
	}
	slices.Sort(h.troubles)
	for _, b := range h.beats {
		h.answered.refused += b.Counters["messages_refused"]
		if b.Component == component.Inspector {
			h.answered.silent += b.Counters["pages_melted"]
			h.answered.pages += b.Counters["pages_well"] + b.Counters["pages_melted"]
		}
	}
	return h, u.get(ctx, "/metrics", h.countAnswers)
}

// AlarmID is the alarm about an upgrade that failed: another one must be able to mend it.
const AlarmID = "upgrade"

// countAnswers counts the answers of libra-web by their codes. Those of /up are left out:
// they say what is wrong elsewhere. So is 503, by which it asks to try again.
func (h *health) countAnswers(metrics io.Reader) error {
	lines := bufio.NewScanner(metrics)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), `libra_web_requests_total{code="`)
		if !ok || strings.Contains(rest, `route="/up"`) {
			continue
		}
		code, _, _ := strings.Cut(rest, `"`)
		n, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return fmt.Errorf("read /metrics: %w", err)
		}
		h.answered.answers += int64(n)
		if strings.HasPrefix(code, "5") && code != "503" {
			h.answered.failed += int64(n)
		}
	}
	return lines.Err()
}

// since are the figures since an earlier time; a counter that was begun again counts from 0.
func (h health) since(from health) figures {
	after := func(now, then int64) int64 {
		if now < then {
			return now
		}
		return now - then
	}
	a, b := h.answered, from.answered
	return figures{after(a.answers, b.answers), after(a.failed, b.failed), after(a.pages, b.pages), after(a.silent, b.silent), after(a.refused, b.refused)}
}

// rise returns an error where more goes wrong between two times than usual.
func (h health) rise(from, now health) error {
	f, usual := now.since(from), h.usual
	switch {
	case f.failed >= 3 && share(f.failed, f.answers) > share(usual.failed, usual.answers)+0.01:
		return fmt.Errorf("errors rise: %d of %d answers are errors, %d of %d before", f.failed, f.answers, usual.failed, usual.answers)
	case f.silent >= 5 && share(f.silent, f.pages) > share(usual.silent, usual.pages)+0.5:
		return fmt.Errorf("errors rise: %d of %d inspected pages give no answer, %d of %d before", f.silent, f.pages, usual.silent, usual.pages)
	case f.refused >= 3 && f.refused > 2*usual.refused:
		return fmt.Errorf("errors rise: %d messages of the bus are refused, %d before", f.refused, usual.refused)
	}
	return nil
}

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
