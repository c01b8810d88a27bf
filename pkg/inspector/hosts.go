package inspector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

const (
	// mostHosts bounds the hosts whose breakers are remembered, about 1 kB each.
	mostHosts = 1024
	// hostWait is how long a page waits for its host before it is given back.
	hostWait = 5 * time.Minute
)

// hosts decides when a page may be asked of its host, by the rules of package limit,
// and shares the breakers with the other inspectors. While the bus is away, or without
// one, each inspector has its own.
type hosts struct {
	log      *slog.Logger
	conn     *bus.Conn // nil: without a bus
	instance string
	longest  time.Duration // that a probe may take
	limits   *limit.Hosts

	well, melted, refused atomic.Int64 // pages

	mu    sync.Mutex
	known map[string]*host // under mu
}

// host is what is known of one host.
type host struct {
	breaker limit.Breaker
	hold    event.Hold    // State is "" for none
	place   uint64        // on the stream, of the newest state that is stored there
	again   time.Time     // when the bus is to be asked again
	changed time.Time     // when somebody announced a change
	reading chan struct{} // closed when the bus has answered; nil while it is not asked
	used    time.Time
	probing bool // by this process
}

func newHosts(cfg Config, conn *bus.Conn, log *slog.Logger) *hosts {
	return &hosts{
		log: log, conn: conn, instance: cfg.Instance, longest: cfg.Inspect.PageTimeout + grace,
		limits: limit.NewHosts(cfg.Workers, time.Now), known: map[string]*host{},
	}
}

// hostOf is the host of a page, with its port if that is not the scheme's own.
func hostOf(page string) string {
	if u, err := weburl.Parse(page); err == nil {
		return u.Host()
	}
	return page
}

// visit is a page's place at its host. end or abandon gives it back.
type visit struct {
	*hosts
	name, url string
	slot      *limit.Slot // nil where the page comes from another host
	probe     bool
	began     time.Time // the probe
	unclaim   func()    // ends the claim on the bus; nil without one
	over      bool
	onward    []*visit // of the hosts that the page leads to
}

// admit waits until the page may be asked of its host. Where it must not be, the list
// of reasons says why; the error is that of ctx, or limit.ErrCrowded.
func (h *hosts) admit(ctx context.Context, url string, round int64) (*visit, *libra.ReasonList, error) {
	name := hostOf(url)
	h.ask(ctx, name)
	if refusal := h.refusal(name); refusal != nil {
		h.refused.Add(1)
		return nil, refusal, nil
	}
	slot, err := h.limits.Acquire(ctx, name, round)
	if err != nil {
		return nil, nil, err
	}
	v := &visit{hosts: h, name: name, url: url, slot: slot}
	if refusal := v.begin(ctx); refusal != nil {
		h.refused.Add(1)
		slot.End(limit.Unknown)
		return nil, refusal, nil
	}
	return v, nil, nil
}

// refusal says why no page of a host is asked for now; nil where one may be.
func (h *hosts) refusal(name string) *libra.ReasonList {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.host(name).refusal(name, time.Now())
}

func (k *host) refusal(name string, now time.Time) *libra.ReasonList {
	switch {
	case k.hold.State == libra.HostOpen:
		return heldOpen(name, k.hold)
	case k.hold.State == libra.HostClosed, !k.breaker.Open():
		return nil
	case k.breaker.HalfOpen(now) && !k.probing:
		return nil
	}
	return suspended(name, k.breaker)
}

// begin looks again, as the page may have waited, and makes it the probe of a
// breaker that is half-open.
func (v *visit) begin(ctx context.Context) *libra.ReasonList {
	v.ask(ctx, v.name)
	v.mu.Lock()
	k := v.host(v.name)
	v.began = time.Now()
	refusal := k.refusal(v.name, v.began)
	probe := refusal == nil && k.breaker.Open() && k.hold.State != libra.HostClosed
	if probe {
		k.probing = true
	}
	v.mu.Unlock()
	if !probe || v.claimProbe(ctx) {
		return refusal
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return suspended(v.name, v.host(v.name).breaker)
}

// claimProbe makes the page the probe that this process sends, if no other inspector
// sends one.
func (v *visit) claimProbe(ctx context.Context) bool {
	if v.shares(v.name) {
		switch end, err := v.conn.ClaimProbe(ctx, v.claim(), v.longest); {
		case errors.Is(err, libra.ErrOpen):
			v.mu.Lock()
			defer v.mu.Unlock()
			v.host(v.name).probing = false
			return false
		case err == nil:
			v.unclaim = end
		}
	}
	v.probe = true
	return true
}

func (v *visit) claim() event.Probe {
	return event.Probe{Host: v.name, Inspector: v.instance, Page: libra.PageID(v.url), At: time.Now().UTC()}
}

// follow admits the page to another host that it leads to, without a place there; the
// error is the reason why not.
func (v *visit) follow(ctx context.Context, url string) error {
	name := hostOf(url)
	if name == v.name || slices.ContainsFunc(v.onward, func(o *visit) bool { return o.name == name }) {
		return nil
	}
	o := &visit{hosts: v.hosts, name: name, url: url}
	if refusal := o.begin(ctx); refusal != nil {
		return refusal.Details[0]
	}
	v.onward = append(v.onward, o)
	return nil
}

// asked notes that the host at url asked the page to wait, which is the probe then: other
// pages wait, too.
func (v *visit) asked(url string, status int, wait time.Duration) {
	name := hostOf(url)
	if at := slices.IndexFunc(v.onward, func(o *visit) bool { return o.name == name }); at >= 0 {
		v.onward[at].asked(url, status, wait)
		return
	}
	if name != v.name {
		return
	}
	var why libra.ReasonList
	why.AddReason(libra.StatusReason(status))
	now := time.Now()
	next := func(b limit.Breaker) limit.Breaker { return b.AskedToWait(wait, why, now) }
	if was, is := v.change(next); differ(was, is) {
		v.share(was, is, next)
	}
	v.began = now.Add(wait)
	v.mu.Lock()
	k := v.host(v.name)
	probe := !v.probe && !k.probing
	k.probing = k.probing || probe
	v.mu.Unlock()
	if probe {
		v.claimProbe(context.Background()) // each call has a time limit of its own
	}
}

// abandon gives the place back without a word about the host. It does nothing after
// end.
func (v *visit) abandon() {
	v.finish(limit.Unknown, func(b limit.Breaker) limit.Breaker { return b })
	for _, o := range v.onward {
		o.abandon()
	}
}

// end notes what the page's report shows of its host, and of those that it leads to.
func (v *visit) end(r *libra.Report) {
	got, _ := answerOf(r, v.name)
	verdict := got.verdict()
	switch verdict {
	case limit.Well, limit.Waited:
		v.well.Add(1)
	case limit.Overloaded:
		v.melted.Add(1)
	}
	v.answered(got, r)
	for _, o := range v.onward {
		if got, ok := answerOf(r, o.name); ok {
			o.answered(got, r)
		}
		o.abandon() // unless it has ended
	}
}

// answered ends the visit with what its host answered.
func (v *visit) answered(got answer, r *libra.Report) {
	now, why := time.Now(), clipped(r.ReasonList)
	v.finish(got.verdict(), func(b limit.Breaker) limit.Breaker {
		probe := v.probe && b.HalfOpen(v.began) // else the breaker is another one than was probed
		return got.next(b, v.url, why, probe, now)
	})
}

// finish gives the place back, once, and makes the breaker what next returns.
func (v *visit) finish(verdict limit.Verdict, next func(limit.Breaker) limit.Breaker) {
	if v.over {
		return
	}
	v.over = true
	if v.slot != nil {
		v.slot.End(verdict)
	}
	if was, is := v.change(next); differ(was, is) {
		v.share(was, is, next)
	}
	if v.unclaim != nil {
		v.unclaim()
	}
	if v.probe { // last, so that the next probe of this process finds the claim ended or ending
		v.mu.Lock()
		v.host(v.name).probing = false
		v.mu.Unlock()
	}
}

// change makes the breaker of the page's host what next returns.
func (v *visit) change(next func(limit.Breaker) limit.Breaker) (was, is limit.Breaker) {
	v.mu.Lock()
	defer v.mu.Unlock()
	k := v.host(v.name)
	was = k.breaker
	k.breaker = next(was)
	return was, k.breaker
}

// host finds or makes that of name. h.mu is held.
func (h *hosts) host(name string) *host {
	k := h.known[name]
	if k == nil {
		h.evict()
		k = &host{}
		h.known[name] = k
	}
	k.used = time.Now()
	return k
}

// evict forgets the host that was asked longest ago. h.mu is held.
func (h *hosts) evict() {
	if len(h.known) < mostHosts {
		return
	}
	oldest := ""
	for name, k := range h.known {
		if !k.probing && k.reading == nil && (oldest == "" || k.used.Before(h.known[oldest].used)) {
			oldest = name
		}
	}
	delete(h.known, oldest)
}
