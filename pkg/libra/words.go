package libra

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// How counts, sizes and durations read on pages, in the command line and in
// notifications. JSON and logs have plain numbers instead.

// Several counts things for people: "1 page", "2 pages".
func Several(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// Plural counts things whose noun or verb has another form for many: "1 alarm is",
// "2 alarms are".
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// FormatBytes writes a size in decimal units, with one digit after the point:
// "850 B", "307.2 kB" (1 kB is 1000 bytes), "1.4 MB".
func FormatBytes(n int64) string {
	if n < 0 {
		return "-" + FormatBytes(-max(n, -math.MaxInt64))
	}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len(byteUnits)-1 {
		value, unit = value/1000, unit+1
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + byteUnits[unit]
}

var byteUnits = []string{"kB", "MB", "GB", "TB", "PB", "EB"}

// NewestReports is what /up and /api/status call unknown while reports may be missing
// and requests may be open that web has not seen.
const NewestReports = "newest reports"

// LeastBusSpace is the least LIBRA_BUS_SPACE, in bytes.
const LeastBusSpace = 32 << 20

// BusSpace is how much the bus may store, in bytes, on a partition of so many: what is
// wanted, or without a wish (0) an eighth of it from 1 GiB to 2 GiB; never more than
// half of the partition.
func BusSpace(wanted, partition int64) int64 {
	if wanted == 0 {
		wanted = min(max(partition/8, 1<<30), 2<<30)
	}
	return min(wanted, partition/2)
}

// ParseBytes reads a size of a setting, such as 512M (binary multiples K, M, G), at
// least least.
func ParseBytes(s string, least int64) (int64, error) {
	number, unit := strings.TrimRight(strings.ToUpper(s), "KMGIB"), int64(1)
	switch suffix := strings.TrimSuffix(strings.ToUpper(s)[len(number):], "IB"); strings.TrimSuffix(suffix, "B") {
	case "":
	case "K":
		unit = 1 << 10
	case "M":
		unit = 1 << 20
	case "G":
		unit = 1 << 30
	default:
		return 0, errors.New("must be a size such as 512M or 2G")
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) && n > 0 || err == nil && n > math.MaxInt64/unit:
		return 0, errors.New("exceeds every disk and memory: must be a size such as 512M or 2G")
	case err != nil || n*unit < least:
		bound := fmt.Sprintf("%d bytes", least)
		if least > 0 && least%(1<<20) == 0 {
			bound = fmt.Sprintf("%dM", least>>20)
		}
		return 0, fmt.Errorf("must be a size of at least %s, such as 512M or 2G", bound)
	}
	return n * unit, nil
}

// FormatBytesBoth writes a size and the limit that it is held against. They never
// read the same unless they are: the bytes stand beside figures that would.
func FormatBytesBoth(n, limit int64) (size, bound string) {
	size, bound = FormatBytes(n), FormatBytes(limit)
	if size == bound && n != limit {
		return fmt.Sprintf("%s (%d B)", size, n), fmt.Sprintf("%s (%d B)", bound, limit)
	}
	return size, bound
}

// FormatDuration writes a duration in at most two units: "850 ms", "1.4 s",
// "45 s", "1 min 45 s", "2 h 5 min", "3 days 4 h". What is below a millisecond
// reads "0 ms".
func FormatDuration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + FormatDuration(-max(d, -math.MaxInt64))
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond)/time.Millisecond)
	case d < 9950*time.Millisecond:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	}
	// The first unit that d reaches, with as many of the next as remain.
	d = d.Round(time.Second)
	for i, u := range durationUnits {
		if d < u.size {
			continue
		}
		text := u.count(d)
		if i+1 < len(durationUnits) && d%u.size >= durationUnits[i+1].size {
			text += " " + durationUnits[i+1].count(d%u.size)
		}
		return text
	}
	return "0 s"
}

// FormatDurationBoth writes a duration and the limit that it is held against. They
// never read the same unless they are, to the millisecond: "2 s and 40 ms".
func FormatDurationBoth(d, limit time.Duration) (text, bound string) {
	text, bound = FormatDuration(d), FormatDuration(limit)
	if by := d - limit; text == bound && by >= time.Millisecond {
		text += " and " + FormatDuration(by)
	} else if text == bound && by <= -time.Millisecond {
		text += " less " + FormatDuration(-by)
	}
	return text, bound
}

// FormatAge writes how long ago something was, in one unit: "now" below two
// seconds, then "45 s ago", "2 min ago", "3 h ago", "1 day ago".
func FormatAge(d time.Duration) string {
	if d < 2*time.Second {
		return "now"
	}
	for _, u := range durationUnits {
		if d >= u.size {
			return u.count(d) + " ago"
		}
	}
	return "now"
}

// FormatTime writes a time in a sentence whose reader's zone is not known:
// "21 Nov 2026, 10:02:00 UTC".
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// ParseTime reads what FormatTime has written.
func ParseTime(text string) (time.Time, error) { return time.Parse(timeLayout, text) }

const timeLayout = "2 Jan 2006, 15:04:05 UTC"

type durationUnit struct {
	size time.Duration
	name string
}

var durationUnits = []durationUnit{{24 * time.Hour, "day"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}

func (u durationUnit) count(d time.Duration) string {
	n := int(d / u.size)
	if u.name == "day" {
		return Several(n, u.name)
	}
	return strconv.Itoa(n) + " " + u.name
}
