package watchdog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"libra/pkg/libra"
	"libra/pkg/release"
)

// upgradeProbe judges the record of the last upgrade, which libra upgrade writes: people
// must know that the release which runs is not the one that was wanted.
func (w *Watchdog) upgradeProbe() *probe {
	return &probe{
		alarm: libra.Alarm{
			ID: "upgrade", Scope: libra.ScopeComponent, Target: "libra upgrade", Severity: libra.Major,
			Summary: "An upgrade of Libra failed", Runbook: "#upgrade",
		},
		recovered: "The last upgrade of Libra works, or its failure is a day old",
		check: func(_ context.Context, p *probe) Reading {
			last, err := release.ReadRecord(w.config().UpgradeRecord)
			if err != nil {
				return Reading{Evidence: "cannot read the record of the last upgrade: " + err.Error()}
			}
			return judgeUpgrade(p, last, time.Now(), w.config().UpgradeFailed)
		},
	}
}

// judgeUpgrade judges a record at the time now.
func judgeUpgrade(p *probe, last release.Record, now time.Time, alarmFor time.Duration) Reading {
	why := strings.TrimPrefix(last.Unit+": "+last.Why, ": ")
	when := libra.FormatTime(last.At)
	switch idle := now.Sub(last.At); {
	case last.Phase == release.RolledBack && idle < alarmFor:
		r := p.fail("%s; %s, an alarm for %s or until an upgrade succeeds", why, when, libra.FormatDuration(alarmFor))
		r.Summary = fmt.Sprintf("The upgrade to Libra %s failed and was rolled back: %s runs again", last.To, last.From)
		return r
	case last.Phase == release.Broken:
		r := p.fail("%s; %s", why, when)
		r.Summary = fmt.Sprintf("The upgrade from Libra %s to %s failed, and so did the way back: units of both versions may run", last.From, last.To)
		return r
	case last.InProgress() && idle >= release.Interrupted:
		r := p.fail("its last step began %s", when)
		r.Summary = fmt.Sprintf("The upgrade from Libra %s to %s was interrupted: units of both versions may run", last.From, last.To)
		return r
	}
	return Reading{Verdict: Pass}
}
