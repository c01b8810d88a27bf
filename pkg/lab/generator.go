package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"libra/pkg/labapi"
)

const (
	// clients is from how many addresses the generator submits: to Libra, each is a client.
	clients = 8
	// mostInFlight bounds the submissions without an answer, readsInFlight the reads.
	mostInFlight  = 128
	readsInFlight = 16
	// readsPerSecond is how often it reads.
	readsPerSecond = 4
	// mostPages is how many pages the site has for the generator.
	mostPages = 5000
	// tick is how often the generator looks what is due.
	tick = 10 * time.Millisecond
	// answerWithin is how long an answer may take.
	answerWithin = 5 * time.Second
	// mostFault bounds the text of a fault, in bytes.
	mostFault = 300
)

// generator submits pages and reads.
type generator struct {
	web, site string
	senders   []*http.Client // of the clients
	reader    *http.Client
	pages     chan string // ids of pages to read; the oldest goes first

	submits, reads chan struct{} // holds one for each in progress

	mu     sync.Mutex
	rate   int    // under mu
	fault  string // under mu
	counts counter
	sent   int // under mu; counts submissions
}

func newGenerator(web, site string) *generator {
	g := &generator{
		web: strings.TrimSuffix(web, "/"), site: site, pages: make(chan string, 64),
		submits: make(chan struct{}, mostInFlight), reads: make(chan struct{}, readsInFlight),
	}
	for k := range clients {
		g.senders = append(g.senders, client(&net.TCPAddr{IP: net.IPv4(127, 0, 8, byte(k+1))}, mostInFlight/clients))
	}
	g.reader = client(nil, readsInFlight)
	return g
}

func client(from *net.TCPAddr, conns int) *http.Client {
	d := net.Dialer{}
	if from != nil {
		d.LocalAddr = from
	}
	return &http.Client{Timeout: answerWithin, Transport: &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns, IdleConnTimeout: 5 * time.Second}}
}

func (g *generator) setRate(rate int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rate = rate
}

// reset sets the dial and the counters to 0.
func (g *generator) reset() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.rate, g.fault, g.counts = 0, "", counter{}
}

func (g *generator) state(now time.Time) (rate int, total, last labapi.Counts, fault string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	total, last = g.counts.figures(now)
	return g.rate, total, last, g.fault
}

// count adds to the counters; fault is why something failed, "" where nothing did.
func (g *generator) count(fault string, add func(*bucket)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.counts.add(time.Now(), add)
	if fault != "" {
		g.fault = fault[:min(len(fault), mostFault)]
	}
}

// run generates load until ctx ends, and returns when every request has ended.
func (g *generator) run(ctx context.Context, loop Loop, everySecond func()) {
	var wg sync.WaitGroup
	defer wg.Wait()
	t := time.NewTicker(tick)
	defer t.Stop()
	last, second := time.Now(), time.Time{}
	var submits, reads float64 // due
	for {
		if loop != nil {
			loop.Allow(3 * time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := time.Now()
		g.mu.Lock()
		rate := float64(g.rate)
		g.mu.Unlock()
		// What was missed while this process did not run is not made up for.
		passed := min(now.Sub(last), 10*tick).Seconds()
		last = now
		for submits += passed * rate; submits >= 1; submits-- {
			g.begin(&wg, g.submits, func() { g.submit(ctx) })
		}
		for reads += passed * readsPerSecond; reads >= 1; reads-- {
			g.begin(&wg, g.reads, func() { g.read(ctx) })
		}
		if now.Sub(second) >= time.Second {
			second = now
			everySecond()
		}
	}
}

// begin does something in a goroutine, unless too much of its kind is in progress.
func (g *generator) begin(wg *sync.WaitGroup, slots chan struct{}, do func()) {
	select {
	case slots <- struct{}{}:
		wg.Go(func() { defer func() { <-slots }(); do() })
	default:
		g.count("", func(b *bucket) { b.Skipped++ })
	}
}

// submit submits the next page. Where the connection is cut before an answer it is sent
// again: a request that is open already is the same one.
func (g *generator) submit(ctx context.Context) {
	g.mu.Lock()
	n := g.sent
	g.sent++
	g.mu.Unlock()
	began, page := time.Now(), fmt.Sprintf("%s/p/%d", g.site, n%mostPages)
	code, body, err := g.post(ctx, n%clients, page)
	if cut(err) {
		code, body, err = g.post(ctx, n%clients, page)
	}
	if ctx.Err() != nil {
		return
	}
	took, fault := time.Since(began), ""
	refused := code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable
	if err != nil {
		fault = "submit: " + plain(err)
	} else if code != http.StatusAccepted {
		fault = fmt.Sprintf("submit: %d %.200s", code, detail(body))
	} else {
		g.remember(idOf(body))
	}
	g.count(fault, func(b *bucket) {
		b.Submitted++
		switch {
		case err == nil && code == http.StatusAccepted:
			b.Accepted++
		case err == nil && refused:
			b.Refused++
		default:
			b.Failed++
		}
		b.submits = keep(b.submits, took)
	})
}

// post submits a page as one of the clients.
func (g *generator) post(ctx context.Context, k int, page string) (code int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.web+"/api/pages", strings.NewReader(fmt.Sprintf(`{"url":%q}`, page)))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Libra-Client", "lab-"+strconv.Itoa(k+1))
	return send(g.senders[k], req)
}

// remember keeps a page to be read, in place of the oldest.
func (g *generator) remember(id string) {
	for id != "" {
		select {
		case g.pages <- id:
			return
		default:
		}
		select {
		case <-g.pages:
		default:
		}
	}
}

// read reads one of the documents that people read. Where its connection is cut before an
// answer it is sent again, as browsers do.
func (g *generator) read(ctx context.Context) {
	path := []string{"/", "/api/pages", "/api/alarms", "/status"}[rand.IntN(4)]
	if rand.IntN(2) == 0 {
		select {
		case id := <-g.pages:
			path = "/pages/" + id
		default:
		}
	}
	began := time.Now()
	code, body, err := g.get(ctx, path)
	if cut(err) {
		code, body, err = g.get(ctx, path)
	}
	if ctx.Err() != nil {
		return
	}
	took, fault := time.Since(began), ""
	if err != nil {
		fault = "GET " + path + ": " + plain(err)
	} else if code != http.StatusOK {
		fault = fmt.Sprintf("GET %s: %d %.200s", path, code, detail(body))
	}
	g.count(fault, func(b *bucket) {
		if fault == "" {
			b.Reads++
		} else {
			b.ReadsFailed++
		}
		b.reads = keep(b.reads, took)
	})
}

func (g *generator) get(ctx context.Context, path string) (code int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.web+path, nil)
	if err != nil {
		return 0, nil, err
	}
	return send(g.reader, req)
}

// mostAnswer bounds what is read of an answer, in bytes.
const mostAnswer = 1 << 20

func send(c *http.Client, req *http.Request) (code int, body []byte, err error) {
	res, err := c.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, mostAnswer))
	return res.StatusCode, body, err
}

// cut reports whether a connection ended before the answer.
func cut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// plain is an error without the addresses in it, which differ each time.
func plain(err error) string {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err.Error()
}
