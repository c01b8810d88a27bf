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

// poison submits a page that ends whoever inspects it. pkg/fault does it.
func submitFaulty(s *trial, kind string) {
	box.Sink.Reset()
	url := fmt.Sprintf("%s/p/libra-fault/%s/%d", s.site.URL, kind, s.began.UnixMilli())
	id := box.Submit(s, url)
	took, ok := harness.Within(60*time.Second, func() bool { return box.Page(s, id).State == libra.Quarantined })
	s.wantAccepted(s.checkLoad("", 0.999))
	p := box.Page(s, id)
	s.check(ok, "the page is %s %s after its submission, in quarantine promised", p.State, ms(took))
	s.check(!ok || len(p.Reasons) > 0, "the page says no reason: %+v", p)
	s.after("in quarantine after %s", ms(took))
	s.wantAlarm(10*time.Second, "quarantine."+id, url, "quarantine")
	res, err := http.Post(box.URL+"/api/pages/"+id+"/release", "application/json", nil)
	if err != nil {
		s.Fatal(err)
	}
	res.Body.Close()
	s.check(res.StatusCode == http.StatusAccepted, "releasing it was answered with %s", res.Status)
	s.wantNothingLost(40 * time.Second)
	// Released, it does it again.
	_, ok = harness.Within(60*time.Second, func() bool { return box.Page(s, id).State == libra.Quarantined })
	s.check(ok, "released, the page is %s, in quarantine again promised", box.Page(s, id).State)
	s.wantHealthy(10 * time.Second)
}

// turncoat serves good pages until it is told to be bad in the way that the
// path names.
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
		told := func() bool {
			p := box.Page(s, ids[kind])
			switch {
			case p.Report == nil || p.State != libra.Reported:
				return false
			case p.Report.Outcome == libra.Partial: // some of it came, and it says what is missing
				return len(p.Report.Reasons) > 0
			}
			return p.Stale && len(p.Reasons) > 0
		}
		took, ok := harness.Within(20*time.Second, told)
		text, err := json.Marshal(box.Page(s, ids[kind]))
		if err != nil {
			s.Fatal(err)
		}
		s.check(ok, "%s: neither the last good report, stale with the reason, nor a partial one: %.600s", kind, text)
		s.Logf("%s: told after %s", kind, ms(took))
	}
	s.wantAccepted(s.checkLoad("", 1))
	bad.Store(false)
	box.Submit(s, site.URL+"/slow")
	took, ok := harness.Within(60*time.Second, func() bool {
		p := box.Page(s, ids["slow"])
		return p.State == libra.Reported && p.Report != nil && p.Report.Outcome == libra.Complete && !p.Stale
	})
	s.check(ok, "the site is well, and its page is not after %s", ms(took))
	s.after("fresh again %s after the site", ms(took))
	s.wantNothingLost(20 * time.Second)
}

// hungHost: a host that does not answer is asked for one page at a time, so
// that the pages of others are weighed meanwhile; the first answer ends that.
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
	// All of the first may be asked for before it is known how the host is.
	_, took := s.submitToHungHost(site.URL+"/first", pages)
	s.after("%d pages told in %s", pages, ms(took))
	unasked, took := s.submitToHungHost(site.URL+"/then", pages)
	s.check(unasked > pages/2, "only %d of %d pages were told without waiting for the host", unasked, pages)
	s.after("%d more in %s, %d of them without asking", pages, ms(took), unasked)
	s.wantAccepted(s.checkLoad("", 1))
	hung.Store(false)
	id := box.Submit(s, site.URL+"/well")
	took, ok := harness.Within(10*time.Second, func() bool {
		p := box.Page(s, id)
		return p.Report != nil && p.Report.Outcome == libra.Complete
	})
	s.check(ok, "the host is well, and its page has no report after %s", ms(took))
	s.after("a page of it reported %s after it was well", ms(took))
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// hungWave submits pages of a host that hangs and waits until all are told.
func (s *trial) submitToHungHost(url string, pages int) (unasked int, took time.Duration) {
	s.Helper()
	ids := make([]string, pages)
	for i := range ids {
		ids[i] = box.Submit(s, fmt.Sprintf("%s/%d", url, i))
	}
	told := 0
	took, ok := harness.Within(30*time.Second, func() bool {
		told, unasked = 0, 0
		for _, id := range ids {
			p := box.Page(s, id)
			if p.Report == nil || p.State != libra.Reported {
				continue
			}
			told++
			if strings.Contains(strings.Join(p.Report.Reasons, " "), "one at a time") {
				unasked++
			}
		}
		return told == pages
	})
	s.check(ok, "%d of %d pages are told after %s", told, pages, ms(took))
	return unasked, took
}
