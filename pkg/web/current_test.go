package web_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// An alarm is explained by another one only while that is raised, too.
func TestExplainedWhileTheCauseIsRaised(t *testing.T) {
	t.Parallel()
	h := started(t)
	behind := transition(2, "behind", libra.Raised, libra.Major, 2)
	behind.Alarm.Cause = "bus"
	h.raise(transition(1, "bus", libra.Raised, libra.Critical, 1), behind)
	const words = "which is notified instead"
	for _, path := range []string{"/alarms", "/alarms/behind"} {
		if got := h.get(path, "Accept", "text/html").body; !strings.Contains(got, words) {
			t.Errorf("%s does not name the cause:\n%s", path, got)
		}
	}
	h.raise(transition(3, "bus", libra.Cleared, libra.Critical, 1))
	for _, path := range []string{"/alarms", "/alarms/behind", "/api/alarms", "/api/alarms/behind"} {
		if got := h.get(path, "Accept", "text/html").body; strings.Contains(got, words) || strings.Contains(got, "explained_by") {
			t.Errorf("%s calls a cleared alarm the cause:\n%s", path, got)
		}
	}
}

// What is wrong with a page is cut at its end, not in its middle: that would say
// something else.
func TestLongReasonIsCutAtItsEnd(t *testing.T) {
	t.Parallel()
	h := started(t)
	over := reported(h.watchAt(1), noon)
	over.Budget = &event.Judged{Lines: 2, Over: []string{
		"total is 2.2 MB (2201519 B), 51.1 kB over its budget of 2.2 MB (2150400 B; 2100 KB in the file)",
		"image is 2.2 MB, 153.3 kB over its budget of 2.0 MB (2000 KB in the file)",
	}}
	h.publish(over)
	h.awaitListed(over)
	const want = `51.1 kB over its budget of 2.2 MB (2150400 B; 2100 KB in the file); …</small>`
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, want) {
		t.Errorf("/ lacks %q:\n%s", want, home)
	}
}

// On a phone, the state of a page whose figures are old stands below its name, as that
// of any other.
func TestBrowserOldFiguresOnPhone(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	h := started(t)
	down := h.watchAt(1)
	list := []event.Reported{reported(down, noon), errorAnswer(again(down, "down"), noon.Add(time.Minute), 500)}
	list[0].Report.MayFetchMore, list[0].Report.Totals.TransferBytes = true, 11_900 // "at least 11.9 kB" is as wide as it gets
	h.publish(list...)
	h.awaitListed(list...)
	err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(h.base+"/"), chromedp.WaitVisible("td.size.old small"))
	const left = `(() => { const x = (s) => document.querySelector(s).getBoundingClientRect().left; return Math.abs(x("td.state") - x("tbody tr")) < 2 })()`
	aligned, evalErr := chromedp.Run(ctx, chromedp.Evaluate[bool](left))
	if err := errors.Join(err, evalErr); err != nil || !aligned {
		t.Errorf("the state stands below the name: %v, %v", aligned, err)
	}
}
