package inspector

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// A host that does not answer costs each of its pages the whole of its
// deadline, and a worker meanwhile. So each host has a circuit breaker:
//
//	closed --failures pages in a row without an answer--> open
//	open   --an answer to the one page that is asked for at a time--> closed
//
// While it is open, the other pages of the host are reported as failed at
// once, with the reason. There is no pause: whoever asks first is the probe, so
// that a host that is well again is found by the next page.
const (
	failures = 3
	// mostHosts bounds what is remembered of hosts that did not answer.
	mostHosts = 1024
)

// breakers has a breaker for each host that did not answer the last time.
type breakers struct {
	log *slog.Logger

	mu    sync.Mutex
	hosts map[string]*host // under mu
}

type host struct {
	failed  int              // pages in a row
	last    libra.ReasonList // why the last of them
	since   time.Time
	probing bool // while open: a page is asked for
}

func newBreakers(log *slog.Logger) *breakers {
	return &breakers{log: log, hosts: map[string]*host{}}
}

// around asks for a page where its host's breaker lets it.
func (b *breakers) around(ctx context.Context, page string, ask func() *libra.Report) *libra.Report {
	name := page
	if u, err := url.Parse(page); err == nil {
		name = u.Host
	}
	probe, refusal := b.enter(name)
	if refusal != nil {
		r := failed(page)
		r.ReasonList = *refusal
		return r
	}
	r := ask()
	switch {
	case ctx.Err() != nil: // cut short by us: it says nothing of the host
		b.leave(name, probe)
	case r.Outcome == libra.Failed && r.Status == 0:
		b.silent(name, probe, r.ReasonList)
	default:
		b.answered(name)
	}
	return r
}

// enter says whether a page may be asked for, and whether it is the probe of an
// open breaker; or why not.
func (b *breakers) enter(name string) (probe bool, refusal *libra.ReasonList) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[name]
	switch {
	case h == nil || h.failed < failures:
		return false, nil
	case h.probing:
		return false, h.refusal(name)
	}
	h.probing = true
	return true, nil
}

// refusal says why a page is not asked for, and why the last one failed.
func (h *host) refusal(name string) *libra.ReasonList {
	why := libra.Reason{
		Code: libra.CodeHostSuspended,
		Text: fmt.Sprintf("%s gave no answer to %d pages in a row, and is asked for one at a time until it does; this one was not asked for", name, h.failed),
	}
	last := "no reason"
	if len(h.last.Reasons) > 0 {
		last = h.last.Reasons[0]
	}
	var list libra.ReasonList
	list.AddSentence(why.Text+". The last time: "+last, append([]libra.Reason{why}, h.last.Details...)...)
	return &list
}

func (b *breakers) leave(name string, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.hosts[name]; h != nil && probe {
		h.probing = false
	}
}

// silent notes that a host gave no answer.
func (b *breakers) silent(name string, probe bool, why libra.ReasonList) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[name]
	if h == nil {
		b.makeRoom()
		h = &host{}
		b.hosts[name] = h
	}
	if probe {
		h.probing = false
	}
	h.failed, h.since, h.last = h.failed+1, time.Now(), why
	if h.failed == failures {
		b.log.Warn("host does not answer: one page at a time until it does", "host", name, "pages", h.failed, "err", strings.Join(why.Reasons, "; "))
	}
}

// makeRoom forgets the host that failed longest ago. b.mu is held.
func (b *breakers) makeRoom() {
	if len(b.hosts) < mostHosts {
		return
	}
	oldest := ""
	for name, h := range b.hosts {
		if !h.probing && (oldest == "" || h.since.Before(b.hosts[oldest].since)) {
			oldest = name
		}
	}
	delete(b.hosts, oldest)
}

func (b *breakers) answered(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.hosts[name]; h != nil && h.failed >= failures {
		b.log.Info("host answers again", "host", name, "pages", h.failed)
	}
	delete(b.hosts, name)
}

// failed is the report of a page that was not asked for, without its reason.
func failed(page string) *libra.Report {
	return &libra.Report{
		URL: page, FinalURL: page, Started: time.Now().UTC(), Outcome: libra.Failed, Totals: libra.Sum(nil), Assets: []libra.Asset{},
	}
}

// weigh weighs a page in this process. previous is asked for the report that
// may stand for what has not changed, nil for none.
func (i *Inspector) weigh(ctx context.Context, page string, previous func(context.Context) *libra.Report, watch func(inspect.Progress)) *libra.Report {
	if i.cfg.Before != nil {
		if err := i.cfg.Before(ctx, page); err != nil {
			r := failed(page)
			r.AddReason(libra.ReasonOf(err))
			return r
		}
	}
	return i.hosts.around(ctx, page, func() *libra.Report { return i.engine.InspectAgain(ctx, page, previous(ctx), watch) })
}
