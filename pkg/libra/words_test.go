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
