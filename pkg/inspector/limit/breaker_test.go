package limit_test

import (
	"testing"
	"time"

	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
)

// The lines of the breaker's rule table.
func TestBreakerFollowsItsTable(t *testing.T) {
	now := time.Unix(1000, 0)
	var why libra.ReasonList
	why.AddReason(libra.Because(libra.CodeAnswerTimeout, "no answer"))
	silent := func(b limit.Breaker, urls ...string) limit.Breaker {
		for _, u := range urls {
			b = b.Silent(u, why, false, now)
		}
		return b
	}
	open := silent(limit.Breaker{}, "a", "b", "c")
	asked := limit.Breaker{}.AskedToWait(time.Minute, why, now)
	probed := open
	for range 6 {
		probed = probed.Silent("d", why, true, now)
	}
	for name, c := range map[string]struct {
		got   limit.Breaker
		cause libra.HostCause
		pause time.Duration
		pages int
	}{
		"closed, two without an answer":        {silent(limit.Breaker{}, "a", "b"), "", 0, 2},
		"closed, three in a row":               {open, libra.HostNoAnswer, limit.FirstPause, 3},
		"closed, ten of one URL":               {silent(limit.Breaker{}, "a", "a", "a", "a", "a", "a", "a", "a", "a", "a"), "", 0, 10},
		"closed, another URL after them":       {silent(limit.Breaker{}, "a", "a", "a", "b"), libra.HostNoAnswer, limit.FirstPause, 4},
		"closed, an answer between":            {silent(silent(limit.Breaker{}, "a", "b").Answered(false), "c", "d"), "", 0, 2},
		"open, another page without an answer": {silent(open, "d"), libra.HostNoAnswer, limit.FirstPause, 3},
		"open, the probe has no answer":        {open.Silent("d", why, true, now), libra.HostNoAnswer, 2 * limit.FirstPause, 4},
		"open, many probes have none":          {probed, libra.HostNoAnswer, limit.MostPause, 9},
		"open, an answer of another page":      {open.Answered(false), "", 0, 0},
		"open, an answer of the probe":         {open.Answered(true), "", 0, 0},
		"asked for a minute":                   {asked, libra.HostAsked, time.Minute, 0},
		"asked for a day":                      {limit.Breaker{}.AskedToWait(24*time.Hour, why, now), libra.HostAsked, limit.MostAsked, 0},
		"asked for no time":                    {limit.Breaker{}.AskedToWait(0, why, now), libra.HostAsked, limit.DefaultAsked, 0},
		"asked, an answer of another page":     {asked.Answered(false), libra.HostAsked, time.Minute, 0},
		"asked, an answer of the probe":        {asked.Answered(true), "", 0, 0},
		"asked, the probe has no answer":       {asked.Silent("d", why, true, now), libra.HostNoAnswer, limit.FirstPause, 1},
		"asked, then for less":                 {asked.AskedToWait(0, why, now), libra.HostAsked, time.Minute, 0},
		"asked, then for more":                 {asked.AskedToWait(2*time.Minute, why, now), libra.HostAsked, 2 * time.Minute, 0},
		"open, then asked":                     {open.AskedToWait(time.Minute, why, now), libra.HostAsked, time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if c.got.Cause != c.cause || c.got.Pages != c.pages || c.got.Open() != (c.cause != "") {
				t.Errorf("got %+v", c.got)
			}
			if c.cause == "" {
				return
			}
			if got := c.got.Until.Sub(now); got != c.pause {
				t.Errorf("open for %s, want %s", got, c.pause)
			}
			if c.got.HalfOpen(c.got.Until.Add(-1)) || !c.got.HalfOpen(c.got.Until) {
				t.Error("half-open at the wrong time")
			}
		})
	}
	if !open.Since.Equal(now) || open.Why.Reasons[0] != "no answer" {
		t.Errorf("got %+v", open)
	}
}
