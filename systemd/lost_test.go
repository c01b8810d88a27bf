//go:build appliance

package systemd_test

import (
	"strings"
	"testing"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/systemd/harness"
)

// A stream that somebody deletes while everything runs is named in /up, made again and
// filled again, and no unit is restarted for it. cmd has the same for every stream.
func TestLostStreamComesBack(t *testing.T) {
	box.EnsureHealthy(t)
	before := box.Submit(t, site(t).URL+"/")
	harness.Await(t, "the first report", 10*time.Second, func() bool { return box.Page(t, before).State == libra.Reported })
	since, bus := time.Now(), box.MainPID(t, "libra-bus")
	for _, stream := range []string{event.ReportStream, event.RequestStream} {
		box.LoseStream(t, stream)
		harness.Await(t, "/up to name "+stream, 5*time.Second, func() bool {
			_, up := box.Get(t, "/up")
			return strings.Contains(up, "degraded: bus: ") && strings.Contains(up, stream)
		})
	}
	harness.Await(t, "everything to be healthy", 10*time.Second, func() bool { return box.Healthy(t) })
	harness.Await(t, "the report on the bus", 10*time.Second, func() bool {
		r, err := box.Bus(t, "web").LastReport(t.Context(), before)
		return err == nil && r.Request.Page == before
	})
	after := box.Submit(t, site(t).URL+"/?after")
	harness.Await(t, "the report of a page that is submitted now", 10*time.Second, func() bool { return box.Page(t, after).State == libra.Reported })
	if box.MainPID(t, "libra-bus") != bus {
		t.Error("libra-bus was restarted")
	}
	journal := box.Journal(t, "--unit", "libra-bus", "--since", since.Format("2006-01-02 15:04:05"))
	if n := strings.Count(journal, "stream lost, made again"); n != 2 {
		t.Errorf("the journal has %d lost streams, want 2:\n%s", n, journal)
	}
}
