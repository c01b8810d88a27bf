package watchdog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/libra"
	"libra/pkg/release"
)

// An upgrade that went back is an alarm until another one succeeds, or for a day; one that
// was interrupted, or whose way back failed, until it is ended.
func TestUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		layout := release.Layout{Root: t.TempDir()}
		r.cfg.UpgradeRecord = release.RecordFile(layout.Root)
		record := func(phase release.Phase, unit, why string) (at time.Time) {
			t.Helper()
			at = time.Now()
			if err := layout.WriteRecord(release.Record{Phase: phase, From: "0.1.0", To: "0.2.0", Began: at, Unit: unit, Why: why}, at); err != nil {
				t.Fatal(err)
			}
			return at
		}
		newest := func() libra.Alarm { return r.stored[len(r.stored)-1].Alarm }
		r.start()
		r.advance(10, true)
		record(release.Upgrading, "", "")
		r.advance(10, true)
		r.wantStored()
		at := record(release.RolledBack, "libra-web.service", "it does not start (exit-code): boom")
		r.advance(10, true)
		want := []string{"21 upgrade raised major"}
		r.wantStored(want...)
		if got := newest().Summary; got != "The upgrade to Libra 0.2.0 failed and was rolled back: 0.1.0 runs again" {
			t.Error(got)
		}
		if got := newest().Evidence; !strings.HasPrefix(got, "libra-web.service: it does not start (exit-code): boom; "+libra.FormatTime(at)+", an alarm for ") {
			t.Error(got)
		}
		record(release.Upgraded, "", "")
		r.advance(10, true)
		want = append(want, "33 upgrade cleared major")
		r.wantStored(want...)

		record(release.GoingBack, "", "")
		r.advance(175, true)
		r.wantStored(want...)
		r.advance(10, true)
		want = append(want, "221 upgrade raised major")
		r.wantStored(want...)
		if got := newest().Summary; !strings.Contains(got, "was interrupted") {
			t.Error(got)
		}
		record(release.Returned, "", "")
		r.advance(10, true)
		want = append(want, "228 upgrade cleared major")
		r.wantStored(want...)

		record(release.Broken, "libra-bus.service", "it does not start")
		r.advance(10, true)
		want = append(want, "236 upgrade raised major")
		r.wantStored(want...)
		if got := newest().Summary; !strings.Contains(got, "so did the way back") {
			t.Error(got)
		}
		// A record that cannot be read is no sign that all is well.
		if err := os.WriteFile(filepath.Join(layout.Root, "upgrade.json"), []byte("{"), 0o644); err != nil {
			t.Fatal(err)
		}
		r.advance(10, true)
		r.wantStored(want...)
	})
}

// After a day an upgrade that went back is no alarm any more.
func TestUpgradeOfYesterday(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		layout := release.Layout{Root: t.TempDir()}
		r.cfg.UpgradeRecord = release.RecordFile(layout.Root)
		if err := layout.WriteRecord(release.Record{Phase: release.RolledBack, From: "0.1.0", To: "0.2.0", Why: "boom"}, time.Now().Add(15*time.Second-24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		r.start()
		r.advance(30, true)
		r.wantStored("5 upgrade raised major", "17 upgrade cleared major")
	})
}
