//go:build appliance

package loadtest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"libra/systemd/harness"
	"libra/systemd/load"
)

var overloads = []scenario{{"ten times capacity for a minute", tenTimes}}

// calmRate is how many pages a second are submitted to a Libra with little to do.
const calmRate = 40

// tenTimes submits, for a minute, ten times as many pages as Libra can inspect, from 100
// clients that do not wait for an answer. Others read meanwhile.
func tenTimes(s *trial) {
	site := harness.NewSite()
	defer site.Close()
	submit := func(name string, c load.Config, lasts time.Duration) load.Stats {
		c.URL, c.Site, c.Name = box.URL, site.URL, name
		g := load.Start(s, c)
		defer g.Stop()
		<-time.After(time.Second) // until it has its connections
		g.Mark()
		<-time.After(lasts)
		return g.StopSubmitting()
	}
	calm := submit("calm", load.Config{Submits: calmRate, Reads: 50}, 15*time.Second)
	drain(s.T)
	s.note("unloaded", fmt.Sprintf("%d accepted, p50 %s, p99 %s; reads p99 %s", calm.Accepted, ms(calm.AcceptedP50), ms(calm.AcceptedP99), ms(calm.P99)))

	before := inspected(s)
	began := time.Now()
	full := submit("full", load.Config{Submitters: 8, Clients: 64}, 15*time.Second)
	capacity := float64(inspected(s)-before) / time.Since(began).Seconds()
	s.note("capacity: 8 that submit one page after the other", fmt.Sprintf("%.0f accepted/s, %.0f inspected/s", float64(full.Accepted)/full.Seconds, capacity))
	drain(s.T)

	took := memory(s)
	readers := load.Start(s, load.Config{URL: box.URL, Site: site.URL, Name: "readers", Reads: 50})
	defer readers.Stop()
	readers.Mark()
	before, began = inspected(s), time.Now()
	flood := submit("flood", load.Config{Submits: 10 * capacity, Clients: 100}, time.Minute)
	done := float64(inspected(s)-before) / time.Since(began).Seconds()
	reads := readers.Mark()
	grown := memory(s)
	s.note("the limit at its end", limit(s))
	offered := flood.Accepted + flood.Refused + flood.BadRefusals + flood.Unknown
	s.want("offered", "10 times capacity", fmt.Sprintf("%.0f/s, %.1f times", float64(offered)/flood.Seconds, float64(offered)/flood.Seconds/capacity), float64(offered) > 9*capacity*flood.Seconds)
	s.note("accepted, inspected", fmt.Sprintf("%.0f/s, %.0f/s", float64(flood.Accepted)/flood.Seconds, done))
	s.want("p99 of what is accepted", "1.5 times unloaded: "+ms(calm.AcceptedP99*3/2), fmt.Sprintf("%s (p50 %s)", ms(flood.AcceptedP99), ms(flood.AcceptedP50)), flood.AcceptedP99 <= calm.AcceptedP99*3/2)
	s.want("p99 of what is refused", "20 ms", ms(flood.RefusedP99), flood.RefusedP99 <= 20*time.Millisecond)
	s.want("refused without Retry-After, without an answer", "none", fmt.Sprintf("%d, %d %v", flood.BadRefusals, flood.Unknown, flood.Errors), flood.BadRefusals == 0 && flood.Unknown == 0)
	s.want("reads meanwhile", "all answered", fmt.Sprintf("%.2f %% answered, p50 %s, p99 %s", 100*reads.AnsweredShare(), ms(reads.P50), ms(reads.P99)), reads.AnsweredShare() == 1)
	s.want("memory of libra-web", "no growth beyond its bounds", fmt.Sprintf("%.0f to %.0f MB", float64(took)/1e6, float64(grown)/1e6), grown < took+64e6)

	<-time.After(time.Second) // and another until submit measures: two in all
	after := submit("after", load.Config{Submits: calmRate, Reads: 50}, 10*time.Second)
	s.want("from 2 s after it on", "all accepted", fmt.Sprintf("%d accepted, %d refused, p50 %s, p99 %s", after.Accepted, after.Refused, ms(after.AcceptedP50), ms(after.AcceptedP99)), after.Refused == 0 && after.Accepted > 0)
}

// inspected counts the reports that the inspectors have published.
func inspected(s *trial) (n int) {
	s.Helper()
	var doc struct {
		Components []struct{ Counters map[string]int }
	}
	if code, body := box.Get(s, "/api/status"); code != 200 || json.Unmarshal([]byte(body), &doc) != nil {
		s.Fatalf("GET /api/status: %d %s", code, body)
	}
	for _, c := range doc.Components {
		n += c.Counters["reports_published"]
	}
	return n
}

// limit is how libra-web limits what is stored at a time.
func limit(s *trial) string {
	s.Helper()
	_, body := box.Get(s, "/metrics")
	value := func(name string) (v float64) {
		if m := regexp.MustCompile(`(?m)^libra_web_admission_` + name + ` (.*)$`).FindStringSubmatch(body); m != nil {
			v, _ = strconv.ParseFloat(m[1], 64)
		}
		return v
	}
	return fmt.Sprintf("%.0f at a time; the bus takes %.1f ms for each, %.1f ms unloaded; %.0f refused", value(`limit{work="store"}`),
		1000*value(`latency_seconds{of="newest",work="store"}`), 1000*value(`latency_seconds{of="unloaded",work="store"}`), value(`refused_total{work="store"}`))
}

// memory is what libra-web takes.
func memory(s *trial) int64 {
	s.Helper()
	pss, _, err := harness.Memory(box.HostPID(s, "libra-web"))
	if err != nil {
		s.Fatal(err)
	}
	return pss
}
