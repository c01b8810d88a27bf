//go:build appliance

package systemd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

// running is what /api/live lists of an inspection.
type running struct {
	Request   string `json:"request"`
	Page      string `json:"page"`
	CPUMS     int64  `json:"cpu_ms"`
	Inspector string `json:"inspector"`
}

// hottest is the inspection that uses most CPU, by /api/live.
func hottest(t *testing.T) (r running) {
	t.Helper()
	var doc struct {
		Running []running `json:"running"`
	}
	code, body := box.Get(t, "/api/live")
	if code != http.StatusOK || json.Unmarshal([]byte(body), &doc) != nil {
		t.Fatalf("/api/live = %d %s", code, body)
	}
	if len(doc.Running) > 0 {
		r = doc.Running[0]
	}
	return r
}

// A page that computes without end is found among others, looked into, with its loop and
// its journal, and ended: its inspector goes on with another process, its page says who
// ended it, and every other page is reported.
func TestSpinIsFoundAndEnded(t *testing.T) {
	box.EnsureHealthy(t)
	enableFaults(t, "LIBRA_LOG=debug\n")
	site := site(t)
	hottest(t) // somebody looks
	began := time.Now()
	spin := box.Submit(t, site.URL+"/libra-fault/spin")
	var others []string
	for n := range 20 {
		others = append(others, box.Submit(t, fmt.Sprintf("%s/live/%d", site.URL, n)))
	}
	var hot running
	harness.Await(t, "the page to be first", 10*time.Second, func() bool { hot = hottest(t); return hot.Page == spin && hot.CPUMS > 0 })
	t.Logf("first after %s, with %d ms of the last second", time.Since(began).Round(time.Millisecond), hot.CPUMS)

	var look struct {
		Stacks []struct {
			Frames []string `json:"frames"`
		} `json:"stacks"`
		Journal      []string `json:"journal"`
		JournalFault string   `json:"journal_fault"`
	}
	harness.Await(t, "its journal", 10*time.Second, func() bool {
		code, body := box.Get(t, "/api/live/"+hot.Request)
		return code == http.StatusOK && json.Unmarshal([]byte(body), &look) == nil && len(look.Stacks) > 0 && len(look.Journal) > 0
	})
	if text := fmt.Sprint(look.Stacks); !strings.Contains(text, "fault.spin") {
		t.Errorf("its stacks do not name the loop: %s", text)
	}
	if look.JournalFault != "" {
		t.Errorf("its journal: %s", look.JournalFault)
	}

	unit := "libra-inspector@" + hot.Inspector
	pid := box.HostPID(t, unit)
	res, err := http.Post(box.URL+"/api/live/"+hot.Request+"/end", "", nil)
	if err != nil || res.StatusCode != http.StatusAccepted {
		t.Fatalf("end: %v, %v", res, err)
	}
	res.Body.Close()
	harness.Await(t, "the report of the page", 10*time.Second, func() bool { return box.Page(t, spin).State == libra.Reported })
	if _, body := box.Get(t, "/api/pages/"+spin); !strings.Contains(body, "ended by an operator") {
		t.Errorf("the page says: %s", body)
	}
	harness.Await(t, "another process of "+unit, 10*time.Second, func() bool { now := box.HostPID(t, unit); return now != pid && now != 0 })
	for _, id := range others {
		harness.Await(t, "the report of "+id, 20*time.Second, func() bool { return box.Page(t, id).State == libra.Reported })
	}
	if journal := box.Journal(t, "--unit", unit); !strings.Contains(journal, "was ended by an operator and goes on") {
		t.Errorf("the journal of %s does not say why it ended", unit)
	}
}
