//go:build appliance

package faults_test

import (
	"strings"
	"time"

	"libra/systemd/harness"
)

func busRows() []row {
	return []row{
		{"bus down for 30 s", true, busDown},
		{"bus storage wiped", false, busWiped},
		{"both wiped", false, bothWiped},
	}
}

func busDown(s *trial) {
	box.Sink.Reset()
	box.Systemctl(s, "stop", "libra-bus")
	s.mark()
	s.wait(30 * time.Second)
	m := s.checkLoad("", 1)
	s.wantRefused(m)
	s.check(m.Accepted == 0, "%d submissions accepted without a bus", m.Accepted)
	s.check(m.Stale > 0, "no read was marked stale")
	s.wantAlarm(5*time.Second, "bus", "Libra accepts no requests")
	box.Systemctl(s, "start", "libra-bus")
	took, ok := harness.Within(10*time.Second, func() bool { return s.mark().Accepted > 0 })
	s.check(ok && took <= time.Second, "the first submission was accepted %s after the bus was back", ms(took))
	s.after("accepting after %s", ms(took))
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// busWiped: the recorded pages are restored to the bus, and can be read all the
// time; so are the notes, among which others are written meanwhile.
func busWiped(s *trial) {
	s.wantNothingLost(20 * time.Second)
	pages, err := box.RecordedReports()
	if err != nil {
		s.Fatal(err)
	}
	box.Systemctl(s, "stop", "libra-bus")
	box.WipeBus(s)
	box.Systemctl(s, "start", "libra-bus")
	s.board.resume()
	took, ok := harness.Within(30*time.Second, func() bool { return box.PagesOnBus(s) >= len(pages) })
	s.check(ok, "%d of %d pages restored to the bus after %s", box.PagesOnBus(s), len(pages), ms(took))
	s.after("%d pages restored in %s", len(pages), ms(took))
	box.Systemctl(s, "restart", "libra-web") // so that its memory is lost, too
	<-time.After(2 * time.Second)
	s.checkLoad("", 0.999)
	s.wantHealthy(10 * time.Second)
	id := box.Submit(s, s.site.URL+"/p/after-the-wipe")
	_, ok = harness.Within(10*time.Second, func() bool { return box.Page(s, id).Report != nil })
	s.check(ok, "a page submitted after the wipe was not reported")
}

// bothWiped: without any state, new pages work.
func bothWiped(s *trial) {
	s.wantNothingLost(20 * time.Second)
	s.load.Stop()
	box.Systemctl(s, "stop", "libra-bus", "libra-recorder")
	box.WipeBus(s)
	box.WipeHistory(s)
	s.board.forget()
	box.Systemctl(s, "start", "libra-bus", "libra-recorder")
	box.Systemctl(s, "restart", "libra-web")
	s.wantHealthy(20 * time.Second)
	s.board.resume()
	code, body := box.Get(s, "/api/pages")
	s.check(code == 200 && strings.HasPrefix(body, `{"pages":[]`), "GET /api/pages: %d %.200s, no pages and no error promised", code, body)
	id := box.Submit(s, s.site.URL+"/p/fresh")
	took, ok := harness.Within(10*time.Second, func() bool { return box.Page(s, id).Report != nil })
	s.check(ok, "a page submitted to the empty appliance was not reported")
	_, ok = harness.Within(10*time.Second, func() bool { pages, err := box.RecordedReports(); return err == nil && pages[id] == 1 })
	s.check(ok, "a page submitted to the empty appliance was not recorded")
	s.after("a new page reported after %s", ms(took))
}
