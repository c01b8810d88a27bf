package web_test

import (
	"strings"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// Pages of a populated site, by what is special about them.
var (
	goodPage, errorPage, failedPage, stalePage = request(1), request(2), request(3), request(4)
	quarantinedPage, watchedPage, largePage    = request(5), request(6), request(7)
	portPage                                   = at(8, "http://a-rather-long-name-of-a-host.example.org:18443/and/a/path/index.html")
)

// at is a request for a page at that address.
func at(n int, url string) event.Request {
	r := request(n)
	r.URL, r.Page = url, libra.PageID(url)
	return r
}

// populate gives web something to show in every state: pages, alarms, silences
// and components, and more of each than one page shows.
func (h *rig) populate() {
	h.t.Helper()
	now := time.Now().UTC()
	gone := reported(errorPage, now)
	gone.Report.Status = 404
	watched := reported(watchedPage, now)
	watched.Report.Outcome = libra.Partial
	watched.Report.AddSentence("the page was cut off", libra.Reason{Code: libra.CodePageTimeout, Text: "the page was cut off"})
	list := []event.Reported{
		reported(goodPage, now), gone, failed(failedPage, now, refused), reported(stalePage, noon), failed(again(stalePage, "second"), now, refused),
		reported(quarantinedPage, noon), quarantined(again(quarantinedPage, "third"), now), watched, large(largePage, 60),
	}
	list[len(list)-1].Report.Totals.Requests = 612
	for n := range 10 { // some of them have the port where a line of a phone ends
		list = append(list, reported(at(50+n, "http://"+strings.Repeat("a", 26+2*n)+".example:18443/index.html"), now))
	}
	list = append(list, reported(portPage, now), failed(at(60, "http://"+strings.Repeat("b", 40)+".example:18443/"), now, libra.Reason{Code: libra.CodeConnectionRefused, Text: "connection refused by " + strings.Repeat("b", 30) + ".example:18443"}))
	for n := range 30 {
		list = append(list, reported(request(100+n), noon))
	}
	h.publish(list...)
	if got := h.post("/api/pages", `{"url":"`+watchedPage.URL+`","every":"30s","budget":[{"resourceSizes":[{"resourceType":"total","budget":5}]}]}`); got.code != 202 {
		h.t.Fatalf("watch = %d %s", got.code, got.body)
	}
	h.populateAlarms()
	h.beat(event.Heartbeat{Component: "libra-bus", Instance: "1", Version: "1.0", Status: "serving at nats://127.0.0.1:4222", Started: noon})
	h.awaitListed(list...)
	bustest.Await(h.t, "the heartbeat and the watch", func() bool {
		return strings.Contains(h.get("/api/status").body, "libra-bus") && h.watched(watchedPage.Page) == "30s"
	})
}

func (h *rig) populateAlarms() {
	h.t.Helper()
	down := transition(2, "page.shop", libra.Raised, libra.Minor, 2)
	down.Alarm.Scope, down.Alarm.Target, down.Alarm.Page, down.Alarm.Runbook = libra.ScopePage, watchedPage.URL, watchedPage.Page, "#page-down"
	list := []libra.Transition{transition(1, "memory", libra.Raised, libra.Critical, 1), down, transition(3, "bus", libra.Raised, libra.Major, 3), transition(4, "bus", libra.Cleared, libra.Major, 3)}
	for n := 5; n < 45; n += 2 { // more than one page of history
		list = append(list, transition(n, "web", libra.Raised, libra.Minor, n), transition(n+1, "web", libra.Cleared, libra.Minor, n))
	}
	h.raise(list...)
	h.post("/api/alarms/memory/acknowledge", `{"text":"on it"}`)
	for _, text := range []string{"the new disks are in", strings.Repeat("verylongword", 80), strings.Repeat("😀", libra.MostNoteText), "שלום, the disk של libra \u202egnp.exe", "<b>bold</b> & more"} {
		if _, code := h.write(map[string]string{"text": text, "author": "Ann \u202eB", "alarm": "memory", "page": goodPage.URL}); code != 201 {
			h.t.Fatalf("write %.20q = %d", text, code)
		}
	}
	for _, body := range []string{
		`{"match":{"alarm":"memory"},"for":"2h","why":"more memory is ordered"}`, `{"match":{"alarm":"memroy"},"for":"2h","why":"a slip"}`,
		`{"match":{"scope":"page"},"from":"` + time.Now().UTC().Add(24*time.Hour).Format(time.RFC3339) + `","for":"1h","why":"x"}`,
	} {
		if got := h.post("/api/silences", body); got.code != 201 {
			h.t.Fatalf("silence %s = %d %s", body, got.code, got.body)
		}
	}
}

// absentPaths are answered with 404.
var absentPaths = []string{"/nowhere/at/all", "/pages/" + strings.Repeat("a", 20)}

// sitePaths are the pages to look at after populate, by what they show.
func sitePaths() map[string]string {
	return map[string]string{
		"the list": "/", "a page": "/pages/" + goodPage.Page, "an error page": "/pages/" + errorPage.Page, "a failed page": "/pages/" + failedPage.Page,
		"a stale page": "/pages/" + stalePage.Page, "a quarantined page": "/pages/" + quarantinedPage.Page, "a watched page": "/pages/" + watchedPage.Page,
		"a large page": "/pages/" + largePage.Page, "the alarms": "/alarms", "an open alarm": "/alarms/memory", "an alarm of a page": "/alarms/page.shop",
		"a cleared alarm": "/alarms/bus", "the board": "/board", "the runbook": "/runbook", "the status": "/status", "the capacity": "/capacity", "a page with a port": "/pages/" + portPage.Page, "no such address": absentPaths[0], "no such page": absentPaths[1],
	}
}
