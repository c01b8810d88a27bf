package libra_test

import (
	"testing"
	"time"

	"libra/pkg/libra"
)

func TestMatch(t *testing.T) {
	bus := libra.Alarm{ID: "beat.recorder", Scope: libra.ScopeComponent, Target: "libra-recorder", Severity: libra.Major}
	page := libra.Alarm{ID: "page.abc", Scope: libra.ScopePage, Target: "https://example.org/a/b", Severity: libra.Critical}
	for _, c := range []struct {
		m         libra.Match
		bus, page bool
	}{
		{libra.Match{}, false, false},
		{libra.Match{Alarm: "*"}, true, true},
		{libra.Match{Alarm: "beat.*"}, true, false},
		{libra.Match{Alarm: "beat.record"}, false, false},
		{libra.Match{Alarm: "beat.recorder"}, true, false},
		{libra.Match{Alarm: "*.*c*"}, true, true},
		{libra.Match{Alarm: "b*t.*er"}, true, false},
		{libra.Match{Target: "https://example.org/*"}, false, true},
		{libra.Match{Target: "*/a/b"}, false, true},
		{libra.Match{Scope: libra.ScopePage}, false, true},
		{libra.Match{Scope: libra.ScopePage, Alarm: "beat.*"}, false, false},
		{libra.Match{Severity: libra.Major}, true, false},
		{libra.Match{Severity: libra.Critical}, true, true},
		{libra.Match{Severity: libra.Info}, false, false},
	} {
		if b, p := c.m.Fits(bus), c.m.Fits(page); b != c.bus || p != c.page {
			t.Errorf("%+v fits bus %v, page %v", c.m, b, p)
		}
	}
}

func TestSilence(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := libra.Silence{Match: libra.Match{Alarm: "bus"}, From: now, Until: now.Add(time.Hour)}
	a := libra.Alarm{ID: "bus", Severity: libra.Major}
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{-time.Second, false}, {0, true}, {time.Hour - 1, true}, {time.Hour, false}} {
		if got := s.Covers(a, now.Add(c.after)); got != c.want {
			t.Errorf("%v after its beginning: covers = %v", c.after, got)
		}
	}
	if err := s.Check(now); err != nil {
		t.Error(err)
	}
	for _, bad := range []func(*libra.Silence){
		func(s *libra.Silence) { s.Match = libra.Match{} },
		func(s *libra.Silence) { s.Match.Scope = "hosts" },
		func(s *libra.Silence) { s.Match.Severity = "bad" },
		func(s *libra.Silence) { s.Until = s.From },
		func(s *libra.Silence) { s.Until = now.Add(31 * 24 * time.Hour) },
	} {
		b := s
		bad(&b)
		if err := b.Check(now); err == nil {
			t.Errorf("%+v passes", b)
		}
	}
}

// What is unknown is named, with what there is.
func TestSilenceSaysWhatIsAllowed(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		m    libra.Match
		want string
	}{
		{libra.Match{Scope: "hosts"}, `scope "hosts" is unknown: use component, host or page`},
		{libra.Match{Severity: "bad"}, `severity "bad" is unknown: use info, warning, minor, major or critical`},
	} {
		if err := (libra.Silence{Match: c.m, From: now, Until: now.Add(time.Hour)}).Check(now); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
