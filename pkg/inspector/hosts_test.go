package inspector_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspector"
	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
)

// hostRig is a host that can be silenced, inspectors of its pages, and their journal.
type hostRig struct {
	*testing.T
	bus    *bustest.Bus
	web    *bus.Conn
	url    string
	silent atomic.Bool
	retry  atomic.Int64  // seconds of Retry-After: 503
	once   atomic.Bool   // the next answer is 503 with Retry-After of 4 seconds
	hold   chan struct{} // holds answers to /held…, until closed
	asked  atomic.Int64
	at     atomic.Int64 // pages that are being asked for now
	most   atomic.Int64 // at once
	log    journal
	proc   string // "": the host is never short of anything
}

// journal holds the lines of the inspectors.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer // under mu
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

func newHostRig(t *testing.T) *hostRig {
	h := &hostRig{T: t, bus: bustest.Start(t), hold: make(chan struct{})}
	site := httptest.NewServer(http.HandlerFunc(h.serve))
	t.Cleanup(site.Close)
	h.url, h.web = site.URL, h.bus.Connect("web")
	return h
}

func (h *hostRig) serve(w http.ResponseWriter, r *http.Request) {
	h.asked.Add(1)
	now := h.at.Add(1)
	defer h.at.Add(-1)
	for most := h.most.Load(); now > most && !h.most.CompareAndSwap(most, now); most = h.most.Load() {
	}
	switch {
	case h.silent.Load(), r.URL.Path == "/bad":
		panic(http.ErrAbortHandler)
	case h.once.CompareAndSwap(true, false):
		w.Header().Set("Retry-After", "4")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case h.retry.Load() > 0:
		w.Header().Set("Retry-After", fmt.Sprint(h.retry.Load()))
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case strings.HasPrefix(r.URL.Path, "/held"):
		<-h.hold
	case r.URL.Path == "/leads":
		http.Redirect(w, r, r.FormValue("to"), http.StatusFound)
		return
	case r.URL.Path == "/busy" && r.FormValue("status") != "":
		if wait := r.FormValue("wait"); wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		status, _ := strconv.Atoi(r.FormValue("status"))
		w.WriteHeader(status)
		return
	case r.URL.Path == "/with":
		fmt.Fprintf(w, "<p><img src=%q>", r.FormValue("img"))
	}
	_, _ = w.Write([]byte("<p>hello"))
}

// run runs an inspector until the test ends.
func (h *hostRig) run(instance string, workers int) *inspector.Inspector {
	ctx, cancel := context.WithCancel(h.Context())
	i := inspector.New(inspector.Config{Instance: instance, Workers: workers, Inspect: loopback, Program: os.Args[0], Proc: h.proc}, h.bus.Connect("inspector"), slog.New(slog.NewTextHandler(&h.log, nil)))
	var wg sync.WaitGroup
	wg.Go(func() { _ = i.Run(ctx, nil) })
	h.Cleanup(func() { cancel(); wg.Wait() })
	return i
}

var requests atomic.Int64

func (h *hostRig) ask(path string) event.Request {
	h.Helper()
	return h.askAt(h.url, path)
}

// askAt asks for a page of the host under another name of it.
func (h *hostRig) askAt(url, path string) event.Request {
	h.Helper()
	r := request(url + path)
	r.ID = fmt.Sprint("r-", requests.Add(1))
	bustest.Await(h, "the request before to be closed", func() bool {
		err := h.web.Submit(h.Context(), r)
		if err != nil && !errors.Is(err, libra.ErrOpen) {
			h.Fatal(err)
		}
		return err == nil
	})
	return r
}

// answer is the report of a request.
func (h *hostRig) answer(r event.Request) (got libra.Report) {
	h.Helper()
	bustest.Await(h, "the report of "+r.URL, func() bool {
		for _, last := range []func(context.Context, string) (event.Reported, error){h.web.LastReport, h.web.LastFailure} {
			if reported, err := last(h.Context(), r.Page); err == nil && reported.Request.ID == r.ID {
				got = reported.Report
				return true
			}
		}
		return false
	})
	return got
}

// until has the page inspected until its report is ok.
func (h *hostRig) until(path string, ok func(libra.Report) bool) {
	h.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(h.answer(h.ask(path))); {
		if time.Now().After(end) {
			h.Fatalf("%s is never as wanted", path)
		}
	}
}

func good(r libra.Report) bool { return r.Outcome == libra.Complete }

func suspended(r libra.Report) bool { return r.HasReason(libra.CodeHostSuspended) }

// open silences the host until an inspector asks no more.
func (h *hostRig) open() {
	h.Helper()
	h.silent.Store(true)
	for n := range limit.Failures {
		if r := h.answer(h.ask(fmt.Sprintf("/silent-%d", n))); r.Outcome != libra.Error || r.Status != 0 {
			h.Fatalf("a page of a silent host is %s", r.Outcome)
		}
	}
}

// Of a host that does not answer, one page is fetched at a time, of all inspectors
// together; the others fail at once, with the reason. The first answer ends that, for
// all of them, and the journal has one line each.
func TestBreakerIsShared(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 2)
	h.open()
	h.run("2", 2) // it has not seen any of that
	r := h.answer(h.ask("/beside"))
	if !suspended(r) || !strings.Contains(r.Reasons[0], "3 pages in a row") || !strings.Contains(r.Reasons[0], "closed the connection without a response") {
		t.Errorf("a page beside says %q", r.Reasons)
	}
	if len(r.Details) != 2 || r.Details[1].Code != libra.CodeConnectionClosed {
		t.Errorf("a page beside has the reasons %+v", r.Details)
	}
	h.silent.Store(false)
	was := h.asked.Load()
	for probing := false; !probing; { // the first page after the pause is the probe
		r := h.ask("/held")
		bustest.Await(t, "a probe or a refusal", func() bool {
			last, err := h.web.LastFailure(t.Context(), r.Page)
			probing = h.asked.Load() > was
			return probing || err == nil && last.Request.ID == r.ID
		})
	}
	was = h.asked.Load()
	for range 8 {
		if r := h.answer(h.ask("/more")); !suspended(r) {
			t.Errorf("beside the probe a page is %s, %q", r.Outcome, r.Reasons)
		}
	}
	if n := h.asked.Load() - was; n != 0 {
		t.Errorf("the host was asked %d times beside the probe", n)
	}
	close(h.hold)
	h.until("/after", good)
	for range 8 {
		if r := h.answer(h.ask("/after")); !good(r) {
			t.Errorf("after the answer a page is %s, %q", r.Outcome, r.Reasons)
		}
	}
	if n, m := h.log.count("host is not asked for a while"), h.log.count("host answers again"); n != 1 || m != 1 {
		t.Errorf("the journal has %d lines of the opening and %d of the end, want one each:\n%s", n, m, h.log.b.String())
	}
}

// The claim of an inspector that is gone ends by itself, and another probes no later than
// it would after the longest pause.
func TestProberIsGone(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 2)
	h.open()
	gone := h.bus.Connect("inspector")
	bustest.Await(t, "the claim", func() bool {
		_, err := gone.ClaimProbe(t.Context(), event.Probe{Host: h.name(), Inspector: "9"}, time.Hour)
		return err == nil
	})
	gone.Close()
	began := time.Now()
	h.silent.Store(false)
	h.until("/after", good)
	if took := time.Since(began); took > limit.MostPause {
		t.Errorf("nobody probed for %s", took)
	}
}

// One URL that never answers keeps no other page of its host from being inspected.
func TestOneBadURL(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 2)
	for range limit.Failures + 2 {
		h.answer(h.ask("/bad"))
	}
	if r := h.answer(h.ask("/good")); !good(r) {
		t.Errorf("beside a bad URL a page is %s, %q", r.Outcome, r.Reasons)
	}
}

// A host that asks to wait is not asked for as long as it says; the report says until
// when.
func TestRetryAfter(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 2)
	h.run("2", 2)
	h.retry.Store(7) // longer than the engine itself waits
	if r := h.answer(h.ask("/busy")); r.Status != 503 || r.RetryAfterS != 7 {
		t.Fatalf("got status %d, Retry-After %d", r.Status, r.RetryAfterS)
	}
	started, was := time.Now(), h.asked.Load()
	h.retry.Store(0)
	for range 6 {
		if r := h.answer(h.ask("/next")); !r.HasReason(libra.CodeHostBusy) || !strings.Contains(r.Reasons[0], "asked to wait until") {
			t.Errorf("a page is %s, %q", r.Outcome, r.Reasons)
		}
	}
	if n := h.asked.Load() - was; n != 0 {
		t.Errorf("the host was asked %d times", n)
	}
	h.until("/next", good)
	if waited := time.Since(started); waited < 6*time.Second {
		t.Errorf("the host was asked after %s", waited)
	}
}

// An operator's word is above what inspectors see: a breaker that is held open opens
// for no probe, one that is held closed never opens, until it is released.
func TestHolds(t *testing.T) {
	h := newHostRig(t)
	h.run("1", 2)
	name := strings.TrimPrefix(h.url, "http://")
	hold := func(state libra.HostState) {
		t.Helper()
		if err := h.web.SetHold(t.Context(), event.Hold{Host: name, State: state, By: "alice", Why: "repairs", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if r := h.answer(h.ask("/a")); !good(r) {
		t.Fatalf("a page is %s, %q", r.Outcome, r.Reasons)
	}
	hold(libra.HostOpen)
	held := func(r libra.Report) bool { return r.HasReason(libra.CodeHostHeld) }
	h.until("/a", held)
	was := h.asked.Load()
	if r := h.answer(h.ask("/b")); !held(r) || !strings.Contains(r.Reasons[0], "alice has suspended") || !strings.Contains(r.Reasons[0], "repairs") || !strings.Contains(r.Reasons[0], "libra hosts release "+name) {
		t.Errorf("a page of a held host says %q", r.Reasons)
	}
	h.run("2", 2) // it finds the hold on the bus
	for range 6 {
		if r := h.answer(h.ask("/c")); !held(r) {
			t.Errorf("a page is %s, %q", r.Outcome, r.Reasons)
		}
	}
	if h.asked.Load() != was {
		t.Error("a held host was asked")
	}
	hold(libra.HostClosed)
	h.until("/a", good)
	h.silent.Store(true)
	for n := range 2 * limit.Failures {
		if r := h.answer(h.ask(fmt.Sprint("/d", n))); suspended(r) {
			t.Error("a breaker that is held closed has opened")
		}
	}
	hold("")
	h.until("/e", suspended)
}

// A breaker opens after some pages without an answer, and the counters say what became of
// each page.
func TestBreakerCounts(t *testing.T) {
	h := newHostRig(t)
	i := h.run("1", 2)
	h.open()
	if r := h.answer(h.ask("/beside")); !suspended(r) {
		t.Errorf("a page is %s, %q", r.Outcome, r.Reasons)
	}
	if well, melted, refused := i.Well(), i.Melted(), i.Refused(); well != 0 || melted != limit.Failures || refused != 1 {
		t.Errorf("counted %d, %d, %d", well, melted, refused)
	}
}

// A host that is slow has at most its share of an inspector's pages in progress, and
// keeps the pages of no other host waiting.
func TestSlowHostLeavesOthersAlone(t *testing.T) {
	slow, other := newHostRig(t), newHostRig(t)
	other.web, other.bus = slow.web, slow.bus
	slow.run("1", 12)
	var all []event.Request
	for n := range 40 {
		all = append(all, slow.ask(fmt.Sprintf("/held-%d", n)))
	}
	bustest.Await(t, "the host to have its share", func() bool { return slow.at.Load() == limit.Start })
	for n := range 3 {
		if r := other.answer(other.ask(fmt.Sprint("/", n))); !good(r) {
			t.Errorf("a page of another host is %s", r.Outcome)
		}
	}
	close(slow.hold)
	for _, r := range all {
		if got := slow.answer(r); !good(got) {
			t.Errorf("%s is %s, %q", r.URL, got.Outcome, got.Reasons)
		}
	}
	if n := slow.most.Load(); n > 12 {
		t.Errorf("%d pages of the host at a time, with 12 workers", n)
	}
}
