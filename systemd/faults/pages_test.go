//go:build appliance

package faults_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

func pageRows() []row {
	return []row{
		{"a page that crashes the inspector", true, func(s *trial) { submitFaulty(s, "crash") }},
		{"a page that makes the inspector spin", false, func(s *trial) { submitFaulty(s, "spin") }},
		{"a page that makes the inspector eat memory", false, func(s *trial) { submitFaulty(s, "hunger") }},
		{"target site down, slow, dripping, huge, looping, lying", false, badSites},
		{"a host that hangs, and 80 of its pages", false, hungHost},
	}
}

// submitFaulty submits a page that ends its inspector, by pkg/fault.
func submitFaulty(s *trial, kind string) {
	box.Sink.Reset()
	url := fmt.Sprintf("%s/p/libra-fault/%s/%d", s.site.URL, kind, s.began.UnixMilli())
	id := box.Submit(s, url)
	took, ok := harness.Within(60*time.Second, func() bool { return box.Page(s, id).State == libra.Quarantined })
	s.wantAccepted(s.checkLoad("", 0.999))
	p := box.Page(s, id)
	s.check(ok, "the page is %s %s after its submission, in quarantine promised", p.State, ms(took))
	s.check(!ok || len(p.Reasons) > 0, "the page has no reason: %+v", p)
	s.after("in quarantine after %s", ms(took))
	s.wantAlarm(10*time.Second, "quarantine."+id, url, "quarantine")
	res, err := http.Post(box.URL+"/api/pages/"+id+"/release", "application/json", nil)
	if err != nil {
		s.Fatal(err)
	}
	res.Body.Close()
	s.check(res.StatusCode == http.StatusAccepted, "the response to its release is %s", res.Status)
	s.wantNothingLost(40 * time.Second)
	// After its release the page ends inspectors again.
	_, ok = harness.Within(60*time.Second, func() bool { return box.Page(s, id).State == libra.Quarantined })
	s.check(ok, "released, the page is %s, in quarantine again promised", box.Page(s, id).State)
	s.wantHealthy(10 * time.Second)
}

// faultySite serves good pages until bad is set, and then the fault that the path
// names.
func faultySite(bad *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if !bad.Load() {
			io.WriteString(w, "<!doctype html><title>Good</title><p>good")
			return
		}
		flush := http.NewResponseController(w).Flush
		switch strings.Trim(r.URL.Path, "/") {
		case "down":
			panic(http.ErrAbortHandler) // the connection is cut
		case "slow":
			<-r.Context().Done()
		case "dripping":
			for r.Context().Err() == nil {
				io.WriteString(w, "<")
				_ = flush() // the client may have gone
				<-time.After(100 * time.Millisecond)
			}
		case "huge":
			chunk := strings.Repeat("<p>huge</p>", 6000)
			for r.Context().Err() == nil {
				io.WriteString(w, chunk)
			}
		case "looping":
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		case "lying":
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, "this is not gzip")
		}
	})
}

func badSites(s *trial) {
	kinds := []string{"down", "slow", "dripping", "huge", "looping", "lying"}
	var bad atomic.Bool
	site := httptest.NewServer(faultySite(&bad))
	defer site.Close()
	ids := map[string]string{}
	for _, kind := range kinds {
		ids[kind] = box.Submit(s, site.URL+"/"+kind)
	}
	for _, kind := range kinds {
		harness.Await(s, "the good report of "+kind, 20*time.Second, func() bool { return box.Page(s, ids[kind]).Report != nil })
	}
	bad.Store(true)
	for _, kind := range kinds {
		box.Submit(s, site.URL+"/"+kind)
	}
	for _, kind := range kinds {
		reported := func() bool {
			p := box.Page(s, ids[kind])
			switch {
			case p.Report == nil || p.State != libra.Reported:
				return false
			case p.Report.Outcome == libra.Partial: // with the reason for what is missing
				return len(p.Report.Reasons) > 0
			}
			return p.Stale && len(p.Reasons) > 0
		}
		took, ok := harness.Within(20*time.Second, reported)
		text, err := json.Marshal(box.Page(s, ids[kind]))
		if err != nil {
			s.Fatal(err)
		}
		s.check(ok, "%s: neither the last good report, stale with the reason, nor a partial one: %.600s", kind, text)
		s.Logf("%s: reported after %s", kind, ms(took))
	}
	s.wantAccepted(s.checkLoad("", 1))
	bad.Store(false)
	box.Submit(s, site.URL+"/slow")
	took, ok := harness.Within(60*time.Second, func() bool {
		p := box.Page(s, ids["slow"])
		return p.State == libra.Reported && p.Report != nil && p.Report.Outcome == libra.Complete && !p.Stale
	})
	s.check(ok, "no complete report %s after the site recovered", ms(took))
	s.after("current again %s after the site", ms(took))
	s.wantNothingLost(20 * time.Second)
}

// hungHost: a host that does not respond gets one request at a time, after a pause, so
// that the pages of other hosts are inspected; the first response ends that. Until then
// its pages are reported as errors, which say when to try again.
func hungHost(s *trial) {
	const pages = 40
	var hung atomic.Bool
	hung.Store(true)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hung.Load() {
			<-r.Context().Done()
			return
		}
		io.WriteString(w, "<!doctype html><title>Well</title>")
	}))
	defer site.Close()
	// All of the first pages may be requested before the host is known to hang.
	_, took := s.submitToHungHost(site.URL+"/first", pages)
	s.after("%d pages reported in %s", pages, ms(took))
	unrequested, took := s.submitToHungHost(site.URL+"/then", pages)
	s.check(unrequested > pages/2, "only %d of %d pages were reported without waiting for the host", unrequested, pages)
	s.after("%d more in %s, %d of them without a request", pages, ms(took), unrequested)
	s.wantAccepted(s.checkLoad("", 1))
	hung.Store(false)
	url := site.URL + "/well"
	id := box.Submit(s, url)
	took, ok := harness.Within(10*time.Second, func() bool {
		p := box.Page(s, id)
		if p.Report != nil && p.Report.Outcome == libra.Complete {
			return true
		}
		if p.State == libra.Reported {
			box.Submit(s, url)
		}
		return false
	})
	s.check(ok, "the host recovered, and its page has no report after %s", ms(took))
	s.after("a page of it reported %s after it recovered", ms(took))
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// submitToHungHost submits pages of a host that hangs and waits for all reports.
func (s *trial) submitToHungHost(url string, pages int) (unrequested int, took time.Duration) {
	s.Helper()
	ids := make([]string, pages)
	for i := range ids {
		ids[i] = box.Submit(s, fmt.Sprintf("%s/%d", url, i))
	}
	reported := 0
	took, ok := harness.Within(30*time.Second, func() bool {
		reported, unrequested = 0, 0
		for _, id := range ids {
			p := box.Page(s, id)
			if p.Report == nil || p.State != libra.Reported {
				continue
			}
			reported++
			if strings.Contains(strings.Join(p.Report.Reasons, " "), "one at a time") {
				unrequested++
			}
		}
		return reported == pages
	})
	s.check(ok, "%d of %d pages are reported after %s", reported, pages, ms(took))
	return unrequested, took
}
