package inspector

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// A host that does not answer costs each of its pages the page's whole deadline,
// and occupies a worker for that time. So each host has a circuit breaker:
//
//	closed --failures pages in a row without an answer--> open
//	open   --an answer to the one page that is fetched at a time--> closed
//
// While it is open, the other pages of the host are reported as failed at once,
// with the reason. There is no pause: the first page is the probe, so that the
// next page finds a host that answers again.
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
	probing bool // while open: a page is being fetched
}

func newBreakers(log *slog.Logger) *breakers {
	return &breakers{log: log, hosts: map[string]*host{}}
}

// inspect calls ask where the breaker of the page's host admits it.
func (b *breakers) inspect(ctx context.Context, page string, ask func() *libra.Report) *libra.Report {
	name := page
	if u, err := weburl.Parse(page); err == nil {
		name = u.Host()
	}
	probe, refusal := b.admit(name)
	if refusal != nil {
		r := failed(page)
		r.ReasonList = *refusal
		return r
	}
	r := ask()
	switch {
	case ctx.Err() != nil: // stopped by this process: it says nothing of the host
		b.releaseProbe(name, probe)
	case r.Outcome == libra.Error && r.Status == 0:
		b.noAnswer(name, probe, r.ReasonList)
	default:
		b.answered(name)
	}
	return r
}

// admit reports whether a page is the probe of an open breaker, or why it must not
// be fetched.
func (b *breakers) admit(name string) (probe bool, refusal *libra.ReasonList) {
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

// refusal says why a page is not fetched, and why the last one failed.
func (h *host) refusal(name string) *libra.ReasonList {
	why := libra.Reason{
		Code: libra.CodeHostSuspended,
		Text: fmt.Sprintf("%s gave no answer to %s in a row, and is asked for one at a time until it does; this one was not asked for", name, libra.Several(h.failed, "page")),
	}
	last := "no reason"
	if len(h.last.Reasons) > 0 {
		last = h.last.Reasons[0]
	}
	var list libra.ReasonList
	list.AddSentence(why.Text+". The last time: "+last, append([]libra.Reason{why}, h.last.Details...)...)
	return &list
}

func (b *breakers) releaseProbe(name string, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.hosts[name]; h != nil && probe {
		h.probing = false
	}
}

// noAnswer counts a page to which a host gave no answer.
func (b *breakers) noAnswer(name string, probe bool, why libra.ReasonList) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[name]
	if h == nil {
		b.evict()
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

// evict forgets the host that failed longest ago. Callers hold mu.
func (b *breakers) evict() {
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

// failed is the report of a page that was not fetched, without its reason.
func failed(page string) *libra.Report {
	return &libra.Report{
		URL: page, FinalURL: page, Started: time.Now().UTC(), Outcome: libra.Error, Totals: libra.Sum(nil), Assets: []libra.Asset{},
	}
}

// inspect inspects a page in this process. previous returns the report whose
// assets may be reused where they have not changed, or nil.
func (i *Inspector) inspect(ctx context.Context, page inspect.Page, previous func(context.Context) *libra.Report, watch func(inspect.Progress)) *libra.Report {
	if i.cfg.Before != nil {
		if err := i.cfg.Before(ctx, page.URL); err != nil {
			r := failed(page.URL)
			r.AddReason(libra.ReasonOf(err))
			return r
		}
	}
	return i.hosts.inspect(ctx, page.URL, func() *libra.Report {
		page.Previous = previous(ctx)
		return i.engine.InspectPage(ctx, page, watch)
	})
}
