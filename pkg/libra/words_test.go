package libra_test

import (
	"math"
	"testing"
	"time"

	"libra/pkg/libra"
)

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 307_200: "307.2 kB", 999_949: "999.9 kB", 999_950: "1.0 MB",
		1_440_000: "1.4 MB", 5_000_000_000: "5.0 GB", -1500: "-1.5 kB", math.MaxInt64: "9.2 EB", math.MinInt64: "-9.2 EB",
	} {
		if got := libra.FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}

// Without a wish the bus has an eighth of the partition within bounds, and never more
// than half of it: not less than earlier versions, which had 1 GiB.
func TestBusSpace(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct{ wanted, partition, want int64 }{
		{0, gib, gib / 2},
		{0, 4 * gib, gib},
		{0, 12 * gib, gib * 3 / 2},
		{0, 500 * gib, 2 * gib},
		{64 << 20, 500 * gib, 64 << 20},
		{20 * gib, 500 * gib, 20 * gib},
		{20 * gib, 10 * gib, 5 * gib},
	} {
		if got := libra.BusSpace(c.wanted, c.partition); got != c.want {
			t.Errorf("BusSpace(%d, %d) = %d, want %d", c.wanted, c.partition, got, c.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0: "0 ms", 300 * time.Microsecond: "0 ms", 850 * time.Millisecond: "850 ms",
		999400 * time.Microsecond: "999 ms", 999600 * time.Microsecond: "1 s",
		1400 * time.Millisecond: "1.4 s", 5 * time.Second: "5 s", 9940 * time.Millisecond: "9.9 s", 9960 * time.Millisecond: "10 s",
		45400 * time.Millisecond: "45 s", 59600 * time.Millisecond: "1 min", 105 * time.Second: "1 min 45 s",
		30 * time.Minute: "30 min", time.Hour - time.Millisecond: "1 h", 125 * time.Minute: "2 h 5 min", time.Hour + 20*time.Second: "1 h",
		day: "1 day", 7 * day: "7 days", 76 * time.Hour: "3 days 4 h", 2*day + 59*time.Minute: "2 days", -time.Second: "-1 s", math.MinInt64: "-106751 days 23 h",
	} {
		if got := libra.FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestFormatBytesBoth(t *testing.T) {
	for _, tt := range []struct {
		n, limit    int64
		size, bound string
	}{
		{2_244_339, 307_200, "2.2 MB", "307.2 kB"},
		{307_240, 307_200, "307.2 kB (307240 B)", "307.2 kB (307200 B)"},
		{307_200, 307_200, "307.2 kB", "307.2 kB"},
		{999, 998, "999 B", "998 B"},
	} {
		if size, bound := libra.FormatBytesBoth(tt.n, tt.limit); size != tt.size || bound != tt.bound {
			t.Errorf("FormatBytesBoth(%d, %d) = %q, %q, want %q, %q", tt.n, tt.limit, size, bound, tt.size, tt.bound)
		}
	}
}

func TestFormatDurationBoth(t *testing.T) {
	for _, tt := range []struct {
		d, limit    time.Duration
		text, bound string
	}{
		{2100 * time.Millisecond, 2 * time.Second, "2.1 s", "2 s"},
		{2040 * time.Millisecond, 2 * time.Second, "2 s and 40 ms", "2 s"},
		{1960 * time.Millisecond, 2 * time.Second, "2 s less 40 ms", "2 s"},
		{time.Hour + 4*time.Second, time.Hour, "1 h and 4 s", "1 h"},
		{time.Hour, time.Hour, "1 h", "1 h"},
		{time.Hour + time.Microsecond, time.Hour, "1 h", "1 h"},
	} {
		if text, bound := libra.FormatDurationBoth(tt.d, tt.limit); text != tt.text || bound != tt.bound {
			t.Errorf("FormatDurationBoth(%s, %s) = %q, %q, want %q, %q", tt.d, tt.limit, text, bound, tt.text, tt.bound)
		}
	}
}

func TestFormatAge(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", 1900 * time.Millisecond: "now", 2 * time.Second: "2 s ago", 59900 * time.Millisecond: "59 s ago",
		time.Minute: "1 min ago", 119 * time.Second: "1 min ago", time.Hour: "1 h ago", 23*time.Hour + 59*time.Minute: "23 h ago",
		day: "1 day ago", 2 * day: "2 days ago",
	} {
		if got := libra.FormatAge(d); got != want {
			t.Errorf("FormatAge(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestFormatTime(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	if got := libra.FormatTime(time.Date(2026, 11, 1, 0, 5, 9, 0, zone)); got != "31 Oct 2026, 23:05:09 UTC" {
		t.Errorf("got %q", got)
	}
}
