package inspect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"libra/pkg/inspect/fetch"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// maxFailures bounds the failed requests that a report's reasons name one by
// one.
const maxFailures = 10

// reasons collects why a report is not complete, each limit once.
type reasons struct {
	list []string
	seen map[string]bool
}

func (r *reasons) limit(name, text string) {
	if r.seen == nil {
		r.seen = map[string]bool{}
	}
	if !r.seen[name] {
		r.seen[name] = true
		r.list = append(r.list, text)
	}
}

// report writes down what was found.
func (p *page) report(r *libra.Report) {
	hops := p.root.result
	if hops == nil {
		r.Outcome = libra.Failed
		r.Reasons = []string{fmt.Sprintf("page %q did not answer within %s: try again later, or raise the page timeout", p.root.url, p.cfg.PageTimeout)}
		return
	}
	a := assembler{p: p, index: map[string]int{}, r: r}
	a.root(hops)
	r.FinalURL, r.CertificateUntil = hops.FinalURL, hops.CertificateUntil
	if n := len(hops.Hops); n > 0 {
		r.Status = hops.Hops[n-1].Status
	}
	if r.Status == 0 {
		r.Outcome, r.Reasons = libra.Failed, []string{pageFailure(p.root.url, hops.Err)}
		return
	}
	a.walk()
	p.judge(r, hops)
}

// pageFailure says in one line why the page could not be had and what to do.
func pageFailure(url string, err error) string {
	text := "no answer"
	if err != nil {
		text = err.Error()
	}
	var limit *fetch.Limit
	remedy := "try again later"
	switch {
	case errors.Is(err, fetch.ErrForbidden), errors.Is(err, fetch.ErrResolve), errors.Is(err, fetch.ErrURL),
		strings.Contains(text, ": try "), strings.Contains(text, ": check "):
		return fmt.Sprintf("cannot fetch %q: %s", url, text) // which says what to do
	case errors.Is(err, fetch.ErrConnect):
		remedy = "check that the server is up and the port is right"
	case errors.Is(err, fetch.ErrTLS):
		remedy = "check the server's certificate"
	case errors.As(err, &limit):
		remedy = "raise the limit if the page is yours"
	}
	return fmt.Sprintf("cannot fetch %q: %s; %s", url, text, remedy)
}

// judge sets outcome and reasons of a report that has a page.
func (p *page) judge(r *libra.Report, root *fetch.Result) {
	r.Reasons = append(r.Reasons, p.reasons.list...)
	if p.cut != nil {
		r.Reasons = append(r.Reasons, p.cutReason())
	}
	if root.Err != nil {
		r.Reasons = append(r.Reasons, fmt.Sprintf("the page itself was cut short: %v", root.Err))
	}
	if r.Status == 429 || r.Status >= 500 {
		r.Reasons = append(r.Reasons, fmt.Sprintf("the page answered %d, which may pass: try again later", r.Status))
	}
	failures := 0
	for _, a := range r.Assets {
		if a.Fetch != libra.Fetched || a.Initiator == "" && a.Type == libra.Document {
			continue
		}
		text := a.Error
		if text == "" && (a.Status == 429 || a.Status >= 500) {
			text = fmt.Sprintf("answered %d", a.Status)
		}
		if text == "" || p.cut != nil && a.Status == 0 {
			continue
		}
		if failures++; failures <= maxFailures {
			r.Reasons = append(r.Reasons, fmt.Sprintf("%s %.200s: %s", a.Type, a.URL, text))
		}
	}
	if failures > maxFailures {
		r.Reasons = append(r.Reasons, fmt.Sprintf("%d more requests failed", failures-maxFailures))
	}
	for i, s := range r.Reasons {
		r.Reasons[i] = strings.Join(strings.Fields(s), " ")
	}
	if len(r.Reasons) > 0 {
		r.Outcome = libra.Partial
	}
}

func (p *page) cutReason() string {
	left := 0
	for _, q := range p.requests {
		if q.result == nil {
			left++
		}
	}
	if errors.Is(p.cut, context.Canceled) {
		return fmt.Sprintf("the inspection was given up with %d requests left", left)
	}
	return fmt.Sprintf("the page's time was up after %s with %d requests left: limit page_timeout", p.cfg.PageTimeout, left)
}

// assembler lists the assets of a page: breadth first in the order found, each
// URL once, with the strongest of its labels.
type assembler struct {
	p     *page
	r     *libra.Report
	index map[string]int // URL to asset
	next  [][]edge
	done  map[*request]bool
	named int
}

// root lists the page's own hops.
func (a *assembler) root(res *fetch.Result) {
	for i, h := range res.Hops {
		x := a.asset(h, libra.Document, "")
		x.Reason = "the page"
		if i < len(res.Hops)-1 {
			x.Reason = "redirect of the page"
		}
		a.r.Assets = append(a.r.Assets, x)
	}
	if len(res.Hops) > 0 {
		a.index[res.FinalURL] = len(res.Hops) - 1
	}
	a.index[a.p.root.url] = max(len(res.Hops)-1, 0)
}

// asset turns a hop into an asset.
func (a *assembler) asset(h fetch.Hop, t libra.ResourceType, initiator string) libra.Asset {
	x := libra.Asset{
		URL: h.URL, Type: t, Initiator: initiator, Status: h.Status, HeaderBytes: h.HeaderBytes,
		EncodedBytes: h.EncodedBytes, DecodedBytes: h.DecodedBytes, FramingBytes: h.FramingBytes,
		Fetch: libra.Fetched, Error: h.Error, MediaType: h.MediaType, Protocol: h.Protocol,
		StartMS: millis(h.Started.Sub(a.r.Started)), Cache: h.Cache,
	}
	spent := libra.Timings{
		Blocked: millis(h.Blocked), DNS: millis(h.DNS), Connect: millis(h.Connect), TLS: millis(h.TLS),
		Wait: millis(h.Wait), Receive: millis(h.Receive),
	}
	if spent != (libra.Timings{}) {
		x.Timings = &spent
	}
	return x
}

// millis keeps a tenth of a millisecond: reports travel, and are stored.
func millis(d time.Duration) float64 {
	return float64(d.Round(100*time.Microsecond).Microseconds()) / 1000
}

// walk lists everything that the page refers to.
func (a *assembler) walk() {
	a.done = map[*request]bool{a.p.root: true}
	a.queueRequest(a.p.root)
	for len(a.next) > 0 {
		edges := a.next[0]
		a.next = a.next[1:]
		for i := range edges {
			a.edge(&edges[i])
		}
	}
	if a.named > a.p.cfg.Limits.Named {
		a.p.reasons.limit("named", fmt.Sprintf("%d URLs that are not requested were left out of the list: limit named", a.named-a.p.cfg.Limits.Named))
	}
}

func (a *assembler) queueRequest(r *request) {
	if r.frame != nil {
		a.queueDocument(r.frame)
		return
	}
	a.next = append(a.next, r.refs)
}

func (a *assembler) queueDocument(d *document) {
	a.next = append(a.next, d.refs, d.imports, d.styled)
}

// edge lists what one reference leads to.
func (a *assembler) edge(e *edge) {
	if e.frame != nil {
		a.queueDocument(e.frame)
		return
	}
	if e.ref.URL == "" {
		return
	}
	if e.ref.Fetch == libra.Fetched && e.req != nil {
		a.requested(e)
		return
	}
	if e.ref.Fetch == libra.Fetched {
		return // beyond a limit, which reasons name
	}
	if _, ok := a.index[e.ref.URL]; ok {
		return
	}
	if r := a.p.requests[e.ref.URL]; r != nil {
		return // listed where it is requested
	}
	if a.named++; a.named > a.p.cfg.Limits.Named {
		return
	}
	a.index[e.ref.URL] = len(a.r.Assets)
	a.r.Assets = append(a.r.Assets, libra.Asset{
		URL: e.ref.URL, Type: e.ref.Type, Initiator: e.initiator, Fetch: e.ref.Fetch, Reason: e.ref.Reason,
	})
}

// requested lists the hops of a request, the first time it is met.
func (a *assembler) requested(e *edge) {
	r := e.req
	if a.done[r] {
		return
	}
	a.done[r] = true
	res := r.result
	switch {
	case res == nil:
		a.r.Assets = append(a.r.Assets, libra.Asset{
			URL: r.url, Type: e.ref.Type, Initiator: e.initiator, Fetch: libra.Fetched, Reason: e.ref.Reason, Error: "not asked for in the time given",
		})
	case len(res.Hops) == 0:
		a.r.Assets = append(a.r.Assets, libra.Asset{
			URL: r.url, Type: e.ref.Type, Initiator: e.initiator, Fetch: libra.Fetched, Reason: e.ref.Reason, Error: errorText(res.Err),
		})
	default:
		for _, h := range res.Hops {
			x := a.asset(h, e.ref.Type, e.initiator)
			x.Reason = e.ref.Reason
			a.r.Assets = append(a.r.Assets, x)
		}
	}
	if r.kind != markup.Leaf || len(r.refs) > 0 {
		a.queueRequest(r)
	}
}

func errorText(err error) string {
	if err == nil {
		return "no answer"
	}
	return err.Error()
}
