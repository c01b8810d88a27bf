package load

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// timeout of one request.
const timeout = 5 * time.Second

// mostPolls bounds how often a second it looks for reports, mostRefused how many refused
// pages it remembers.
const (
	mostPolls   = 40
	mostRefused = 10_000
)

// mostConns is on how many connections it submits: libra-web has 1024 for all.
const mostConns = 600

// maxInFlight bounds the requests in progress while Libra hangs.
const maxInFlight = 512

type generator struct {
	cfg     Config
	client  *http.Client
	people  []*http.Client // who submit, in turn, each from an address of its own
	turn    atomic.Uint32
	stopped atomic.Bool // no more submissions

	mu      sync.Mutex
	stats   Stats               // under mu, like all below
	since   time.Time           // of stats
	reads   []time.Duration     // of stats; of answered reads
	submits [2][]time.Duration  // of stats; of submissions that were accepted, and refused
	pages   map[string]*outcome // by page id
	waiting []string            // accepted, no report read yet
	known   []string            // a report was read
	refused int                 // pages
}

type outcome struct {
	accepted, refused, reported bool
}

func newGenerator(cfg Config) *generator {
	g := &generator{cfg: cfg, since: time.Now(), pages: map[string]*outcome{}, client: client(net.Dialer{}, 64)}
	clients := cmp.Or(cfg.Clients, 8)
	for i := range clients {
		g.people = append(g.people, Client(fmt.Sprint(cfg.Name, i), max(2, mostConns/clients)))
	}
	return g
}

// client sends requests on so many connections at most.
func client(from net.Dialer, conns int) *http.Client {
	return &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: from.DialContext, MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns, DisableCompression: true}}
}

func (g *generator) run(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxInFlight)
	pace := func(rate float64, do func(context.Context)) {
		if rate <= 0 {
			return
		}
		wg.Go(func() {
			tick := time.NewTicker(max(time.Millisecond, time.Duration(float64(time.Second)/rate)))
			defer tick.Stop()
			most := max(1, int(rate/100)) // at a time, after a moment in which this process did not run
			began, sent := time.Now(), 0
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				due := int(time.Since(began).Seconds() * rate)
				for sent = max(sent, due-most); sent < due; sent++ {
					select {
					case slots <- struct{}{}:
						wg.Go(func() { defer func() { <-slots }(); do(context.WithoutCancel(ctx)) })
					default:
						g.count("too many requests in progress", func(*Stats) {})
					}
				}
			}
		})
	}
	alone := func(n int, do func(context.Context), over func() bool) {
		for range n {
			wg.Go(func() {
				for ctx.Err() == nil && !over() {
					do(context.WithoutCancel(ctx))
				}
			})
		}
	}
	wg.Go(func() { g.measureStalls(ctx) })
	pace(g.cfg.Submits, g.submit)
	pace(g.cfg.Reads, g.read)
	if g.cfg.Submits > 0 {
		pace(min(max(20, 4*g.cfg.Submits), mostPolls), g.pollReport)
	}
	alone(g.cfg.Readers, g.read, func() bool { return false })
	alone(g.cfg.Submitters, g.submit, g.stopped.Load)
	wg.Wait()
}

// measureStalls records how late a ticker fires.
func (g *generator) measureStalls(ctx context.Context) {
	const every = 50 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			g.count("", func(s *Stats) { s.Stalled = max(s.Stalled, time.Since(last)-every) })
		}
	}
}

// count changes the stats, and counts an error unless it is "".
func (g *generator) count(failure string, change func(*Stats)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(&g.stats)
	if failure == "" {
		return
	}
	if g.stats.Errors == nil {
		g.stats.Errors = map[string]int{}
	}
	if _, known := g.stats.Errors[failure]; known || len(g.stats.Errors) < 12 {
		g.stats.Errors[failure]++
	}
}

func (g *generator) mark() Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.stats
	s.Seconds = time.Since(g.since).Seconds()
	s.P50, s.P99, s.SlowestRead = quantiles(g.reads)
	s.AcceptedP50, s.AcceptedP99, _ = quantiles(g.submits[0])
	_, s.RefusedP99, _ = quantiles(g.submits[1])
	g.stats, g.since, g.reads, g.submits = Stats{}, time.Now(), nil, [2][]time.Duration{}
	return s
}

func (g *generator) list() IDs {
	g.mu.Lock()
	defer g.mu.Unlock()
	var ids IDs
	for id, o := range g.pages {
		switch {
		case o.accepted:
			ids.Accepted = append(ids.Accepted, id)
		case o.refused:
			ids.Refused = append(ids.Refused, id)
		default:
			ids.Unknown = append(ids.Unknown, id)
		}
		if o.accepted && o.reported {
			ids.Reported = append(ids.Reported, id)
		}
	}
	return ids
}

func (g *generator) submit(ctx context.Context) {
	if g.stopped.Load() {
		return
	}
	page, err := weburl.ParsePage(fmt.Sprintf("%s/p/%s/%x", g.cfg.Site, g.cfg.Name, rand.Uint64()))
	if err != nil {
		panic(err) // the suite's own URL is valid
	}
	url := page.String()
	id, o := libra.PageID(url), &outcome{}
	g.mu.Lock()
	g.pages[id] = o
	g.mu.Unlock()
	began := time.Now()
	code, header, _, err := g.do(ctx, http.MethodPost, "/api/pages", fmt.Sprintf(`{"url":%q}`, url))
	took := time.Since(began)
	failure := ""
	if err != nil {
		failure = "submit: " + reason(err)
	} else if code != http.StatusAccepted && header.Get("Retry-After") == "" {
		failure = fmt.Sprintf("submit: %d without Retry-After", code)
	}
	g.count(failure, func(s *Stats) {
		s.SlowestSubmit = max(s.SlowestSubmit, took)
		switch {
		case err != nil:
			s.Unknown++
		case code == http.StatusAccepted:
			s.Accepted++
			o.accepted = true
			g.waiting = append(g.waiting, id)
			g.submits[0] = append(g.submits[0], took)
		case header.Get("Retry-After") != "" && (code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests):
			s.Refused++
			o.refused = true
			g.submits[1] = append(g.submits[1], took)
			if g.refused++; g.refused > mostRefused {
				delete(g.pages, id)
			}
		default:
			s.BadRefusals++
			o.refused = true
		}
	})
}

// pollReport asks whether the page that waits longest has its report. These
// requests are not counted as reads.
func (g *generator) pollReport(ctx context.Context) {
	g.mu.Lock()
	if len(g.waiting) == 0 {
		g.mu.Unlock()
		return
	}
	id := g.waiting[0]
	g.waiting = g.waiting[1:]
	g.mu.Unlock()
	code, _, body, err := g.do(ctx, http.MethodGet, "/api/pages/"+id, "")
	ok := err == nil && code == http.StatusOK && hasReport(body)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !ok {
		g.waiting = append(g.waiting, id)
		return
	}
	g.pages[id].reported = true
	g.known = append(g.known, id)
}

func hasReport(body []byte) bool {
	var doc struct{ Report *struct{ URL string } }
	return json.Unmarshal(body, &doc) == nil && doc.Report != nil && doc.Report.URL != ""
}

// read requests one of the documents that people read.
func (g *generator) read(ctx context.Context) {
	path, id := g.choose()
	began := time.Now()
	code, _, body, err := g.do(ctx, http.MethodGet, path, "")
	retried := connectionCut(err)
	if retried {
		code, _, body, err = g.do(ctx, http.MethodGet, path, "")
	}
	took := time.Since(began)
	what := path
	if id != "" {
		what = strings.TrimSuffix(path, id) + "ID"
	}
	lost := id != "" && strings.HasPrefix(path, "/api/") && err == nil && !hasReport(body)
	failure := ""
	switch {
	case err != nil:
		failure = "GET " + what + ": " + reason(err)
	case code != http.StatusOK:
		failure = fmt.Sprintf("GET %s: %d %s", what, code, problem(body))
	case lost:
		failure = "GET " + what + ": 200 without the report that was read before"
	}
	g.count(failure, func(s *Stats) {
		s.Reads++
		if retried {
			s.Retried++
		}
		if err == nil && code == http.StatusOK {
			s.Answered++
			g.reads = append(g.reads, took)
			if strings.Contains(string(body), `"stale":true`) {
				s.Stale++
			}
		}
		if lost {
			s.Lost++
		}
	})
}

// connectionCut says whether the connection ended before the response.
func connectionCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

func problem(body []byte) string {
	var p struct{ Type string }
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	return p.Type
}

func (g *generator) choose() (path, id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) > 0 {
		id = g.known[rand.IntN(len(g.known))]
	}
	switch n := rand.IntN(10); {
	case n < 5 && id != "":
		return "/api/pages/" + id, id
	case n < 7 && id != "":
		return "/pages/" + id, id
	case n < 8:
		return "/api/pages", ""
	case n < 9:
		return "/api/alarms", ""
	}
	return "/", ""
}

func (g *generator) do(ctx context.Context, method, path, body string) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, g.cfg.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	sender := g.client
	if method == http.MethodGet {
		req.Body = nil
		req.GetBody = nil
		req.ContentLength = 0
	} else {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Libra-Client", g.cfg.Name)
		sender = g.people[g.turn.Add(1)%uint32(len(g.people))]
	}
	res, err := sender.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header, data, err
}

// reason returns the text of an error without addresses, so that equal errors are
// counted together.
func reason(err error) string {
	text := err.Error()
	for _, known := range []string{"connection refused", "connection reset by peer", "EOF", "Client.Timeout", "broken pipe"} {
		if strings.Contains(text, known) {
			return known
		}
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner.Error()
	}
	return text
}
