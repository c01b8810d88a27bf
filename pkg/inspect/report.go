package inspect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"libra/pkg/inspect/fetch"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// maxFailures bounds the failed requests that a report's reasons name one by
// one.
const maxFailures = 10

// maxOddities bounds the responses with invalid headers that are named one by one.
const maxOddities = 3

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
		r.Outcome = libra.Error
		r.AddReason(libra.Reason{
			Code: libra.CodePageTimeout, Text: fmt.Sprintf("page %q did not answer within %s", p.root.url, libra.FormatDuration(p.cfg.PageTimeout)),
			Remedy: "try again later, or raise the page timeout",
		})
		return
	}
	a := assembler{p: p, index: map[string]int{}, r: r}
	a.root(hops)
	r.FinalURL, r.CertificateUntil = hops.FinalURL, hops.CertificateUntil
	if root := p.root.frame; root != nil && root.doc != nil {
		r.Title = root.doc.Title
	}
	if n := len(hops.Hops); n > 0 {
		r.Status = hops.Hops[n-1].Status
	}
	r.RetryAfterS = int64(hops.RetryAfter.Round(time.Second) / time.Second)
	if r.Status == 0 {
		r.Outcome = libra.Error
		why := pageFailure(hops.Err)
		r.AddSentence(fmt.Sprintf("cannot fetch %q: %s", p.root.url, why), why)
		return
	}
	a.walk()
	p.reportScripts(r)
	if r.Status/100 != 2 || nothingOf(hops) {
		r.Outcome = libra.Error
		p.explain(r, hops)
		p.notice(r)
		return
	}
	p.judge(r, hops)
}

// explain says why a page is an error although its server answered. What its
// error page lacks is no reason of it.
func (p *page) explain(r *libra.Report, root *fetch.Result) {
	if r.Status/100 == 3 && root.Err != nil || r.Status/100 == 2 {
		why := pageFailure(root.Err)
		r.AddSentence(fmt.Sprintf("cannot fetch %q: %s", p.root.url, why), why)
		return
	}
	r.AddReason(libra.StatusReason(r.Status))
}

// nothingOf reports whether a response failed before any of its body was there, as
// one that does not decode. Where the page's own time was up it may be that Libra
// did not come to read it.
func nothingOf(res *fetch.Result) bool {
	return res.Err != nil && !errors.Is(res.Err, fetch.ErrCanceled) && res.Hops[len(res.Hops)-1].DecodedBytes == 0
}

// pageFailure says why the page could not be fetched and what to do.
func pageFailure(err error) libra.Reason {
	why := failure(err)
	if why.Remedy != "" {
		return why
	}
	var limit *fetch.Limit
	switch {
	case errors.Is(err, fetch.ErrForbidden), errors.Is(err, fetch.ErrResolve), errors.Is(err, fetch.ErrURL):
		// the text says what is allowed
	case errors.Is(err, fetch.ErrConnect):
		why.Remedy = "check that the server is up and the port is right"
	case errors.Is(err, fetch.ErrTLS):
		why.Remedy = "check the server's certificate"
	case errors.Is(err, fetch.ErrEncoding):
		why.Remedy = "check the server's Content-Encoding"
	case errors.As(err, &limit):
		why.Remedy = "raise the limit if the page is yours"
	default:
		why.Remedy = "try again later"
	}
	return why
}

// judge sets outcome and reasons of a report that has a page.
func (p *page) judge(r *libra.Report, root *fetch.Result) {
	for _, text := range p.reasons.list {
		r.AddReason(libra.Reason{Code: libra.CodeLimit, Text: text})
	}
	if p.cutCause != nil {
		r.AddReason(p.cutReason())
	}
	if root.Err != nil {
		why := libra.ReasonOf(root.Err)
		why.Text = "the page itself was cut short: " + why.Text
		r.AddReason(why)
	}
	failures := 0
	for _, a := range r.Assets {
		if a.Fetch != libra.Fetched || a.Initiator == "" && a.Type == libra.Document {
			continue
		}
		why := libra.Reason{Code: a.ErrorCode, Text: a.Error}
		if why.Text == "" && mayPass(a.Status) {
			why = libra.Reason{Code: libra.CodeHTTPStatus, Text: fmt.Sprintf("answered %d", a.Status)}
		}
		if why.Text == "" || p.cutCause != nil && a.Status == 0 {
			continue
		}
		if failures++; failures <= maxFailures {
			why.Text = fmt.Sprintf("%s %.200s: %s", a.Type, a.URL, why.Text)
			r.AddReason(why)
		}
	}
	if failures > maxFailures {
		r.AddReason(libra.Reason{Code: libra.CodeMoreFailures, Text: libra.Several(failures-maxFailures, "more request") + " failed"})
	}
	if len(r.Reasons) > 0 {
		r.Outcome = libra.Partial
	}
	p.notice(r)
}

// notice adds what the reader of a report should know although it does not make the
// report less complete.
func (p *page) notice(r *libra.Report) {
	if p.httpOnly != nil {
		r.AddReason(libra.Reason{
			Code: libra.CodeHTTPOnly, Text: fmt.Sprintf("inspected over http, because https does not answer (%s)", libra.ReasonOf(p.httpOnly).Text),
			Remedy: "serve the page over https, or give its URL with http://",
		})
	}
	for _, text := range p.oddities[:min(len(p.oddities), maxOddities)] {
		r.AddReason(libra.Reason{Code: libra.CodeMalformedHeader, Text: text, Remedy: "correct the server's header"})
	}
	if more := len(p.oddities) - maxOddities; more > 0 {
		r.AddReason(libra.Because(libra.CodeMalformedHeader, libra.Several(more, "more response")+" with invalid headers"))
	}
}

// mayPass says that a status is no answer for good: too many requests, or a
// fault of the server.
func mayPass(status int) bool { return status == http.StatusTooManyRequests || status >= 500 }

func (p *page) cutReason() libra.Reason {
	left := 0
	for _, q := range p.requests {
		if q.result == nil {
			left++
		}
	}
	if errors.Is(p.cutCause, context.Canceled) {
		return libra.Reason{Code: libra.CodeStopped, Text: "the inspection was given up with " + libra.Several(left, "request") + " left"}
	}
	return libra.Reason{Code: libra.CodePageTimeout, Text: fmt.Sprintf("the page's time was up after %s with %s left: limit page_timeout", libra.FormatDuration(p.cfg.PageTimeout), libra.Several(left, "request"))}
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
	if h.Oddity != "" {
		what := "the page"
		if initiator != "" {
			what = fmt.Sprintf("%s %.200s", t, h.URL)
		}
		a.p.oddities = append(a.p.oddities, what+": "+h.Oddity)
	}
	x := libra.Asset{
		URL: h.URL, Type: t, Initiator: initiator, Status: h.Status, HeaderBytes: h.HeaderBytes,
		EncodedBytes: h.EncodedBytes, DecodedBytes: h.DecodedBytes, FramingBytes: h.FramingBytes,
		Fetch: libra.Fetched, Error: h.Error, ErrorCode: h.ErrorCode, MediaType: h.MediaType, Protocol: h.Protocol,
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
			URL: r.url, Type: e.ref.Type, Initiator: e.initiator, Fetch: libra.Fetched, Reason: e.ref.Reason,
			Error: "not requested before the page timeout", ErrorCode: libra.CodePageTimeout,
		})
	case len(res.Hops) == 0:
		why := failure(res.Err)
		a.r.Assets = append(a.r.Assets, libra.Asset{
			URL: r.url, Type: e.ref.Type, Initiator: e.initiator, Fetch: libra.Fetched, Reason: e.ref.Reason,
			Error: why.String(), ErrorCode: why.Code,
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

// failure is why a request brought nothing.
func failure(err error) libra.Reason {
	if err == nil {
		return libra.Reason{Code: libra.CodeConnectionFailed, Text: "no answer"}
	}
	return libra.ReasonOf(err)
}
