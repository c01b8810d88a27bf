package pages

import (
	"html/template"
	"regexp"
	"strconv"
	"strings"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web/api"
	"libra/pkg/weburl"
)

func showAgo(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return libra.FormatAge(now.Sub(t))
}

// showMillis writes a duration that a report has in milliseconds.
func showMillis(ms int64) string { return libra.FormatDuration(time.Duration(ms) * time.Millisecond) }

// showInterval writes an interval such as "90s" for people.
func showInterval(every string) string {
	d, err := time.ParseDuration(every)
	if err != nil {
		return every
	}
	return libra.FormatDuration(d)
}

// showMatch writes which alarms a silence matches.
func showMatch(m libra.Match) string {
	var parts []string
	for _, p := range []struct{ before, value string }{
		{"alarm ", m.Alarm}, {"scope ", string(m.Scope)}, {"target ", api.Short(m.Target, 90)}, {"severity up to ", string(m.Severity)},
	} {
		if p.value != "" {
			parts = append(parts, p.before+p.value)
		}
	}
	if len(parts) == 1 && m.Alarm == "*" {
		return "every alarm"
	}
	return strings.Join(parts, ", ")
}

// mark is the state of a page in the list: what is wrong, before anything else.
type mark struct{ Class, Word string }

func markOf(l api.Listed) mark {
	switch {
	case l.Trouble != nil:
		return mark{"error", strings.ReplaceAll(string(l.Trouble.Kind), "-", " ")}
	case l.State == libra.Quarantined:
		return mark{"error", string(l.State)}
	case l.State != libra.Reported:
		return mark{"busy", string(l.State)}
	case l.Latest.Outcome == libra.Error:
		return mark{"error", "error"}
	}
	return mark{string(l.Report.Outcome), string(l.Report.Outcome)}
}

// wrong is what is wrong with a page in the list, in one line; "" where nothing is.
func wrong(l api.Listed) string {
	switch {
	case l.Trouble != nil:
		return shortText(l.Trouble.Text)
	case l.Latest != nil && l.Latest.Outcome == libra.Error:
		if why := l.Latest.Why(); len(why) > 0 {
			return shortText(why[0].Text)
		}
		return "the page could not be fetched"
	}
	return ""
}

// shortText cuts a long text after a clause or a word, so that no figure reads as
// another.
func shortText(text string) string {
	const most = 120
	r := []rune(text)
	if len(r) <= most {
		return text
	}
	begin := string(r[:most])
	if clause := strings.LastIndex(begin, "; "); clause > most/3 {
		return begin[:clause] + "; …"
	}
	if word := strings.LastIndexByte(begin, ' '); word > most/3 {
		return begin[:word] + " …"
	}
	return begin + "…"
}

// plainWord matches the beginning of a text that may be capitalised.
var plainWord = regexp.MustCompile(`^[a-z]+(\s|$)`)

// beginsWithValue reports whether a text begins with a value, such as a host or
// something quoted, that has to stay as it is.
func beginsWithValue(text string) bool { return !plainWord.MatchString(text) }

func showWhen(t time.Time) string { return libra.FormatTime(t) }

func showISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// typed is what to submit to have a page inspected as for the report shown: without
// a scheme where https was a guess, and http was used.
func typed(url string, shown *libra.Report) string {
	if shown != nil && shown.HasReason(libra.CodeHTTPOnly) {
		return weburl.Unguessed(url)
	}
	return url
}

// shortURL is a URL without its scheme, and without the slash of a bare host.
func shortURL(url string) string {
	s := strings.TrimPrefix(strings.TrimPrefix(url, "https://"), "http://")
	if host, rest, _ := strings.Cut(s, "/"); rest == "" && s != url {
		s = host
	}
	return api.Short(s, 160)
}

// port matches the port after a long host, in text that is escaped for HTML. A short
// host fits into a line together with its port, and nothing breaks them.
var port = regexp.MustCompile(`([\w.\]-]{20,})(:[0-9]{2,5})\b`)

// wholePorts writes text so that no line ends within a port.
func wholePorts(text string) template.HTML {
	if !strings.Contains(text, ":") { // most names: neither a port nor a time
		return template.HTML(template.HTMLEscapeString(text))
	}
	return template.HTML(port.ReplaceAllString(template.HTMLEscapeString(text), `$1<span class="port">$2</span>`))
}

// timeInText matches what libra.FormatTime writes, in which HTML escapes nothing.
var timeInText = regexp.MustCompile(`\b\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d:\d\d UTC\b`)

// sentence writes text with whole ports, and its times as elements: libra.js shows
// them in the reader's own zone, as all others.
func sentence(text string) template.HTML {
	if !strings.Contains(text, ":") {
		return wholePorts(text)
	}
	return template.HTML(timeInText.ReplaceAllStringFunc(string(wholePorts(text)), func(found string) string {
		at, err := libra.ParseTime(found)
		if err != nil {
			return found
		}
		return `<time datetime="` + showISO(at) + `">` + found + `</time>`
	}))
}

// originOf is scheme and host of an address, or "".
func originOf(url string) string {
	if scheme, rest, ok := strings.Cut(url, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		return scheme + "://" + host
	}
	return ""
}

// assetName is an asset's address, without its origin where that is the page's.
func assetName(url, origin string) string {
	if path, ok := strings.CutPrefix(url, origin+"/"); ok && origin != "" {
		return api.Short("/"+path, 110)
	}
	return api.Short(shortURL(url), 110)
}

// percent writes a share as an attribute's value.
func percent(share float64) string { return strconv.FormatFloat(share*100, 'f', 1, 64) + "%" }

// showTerm writes a figure of a score in its unit.
func showTerm(unit string, n float64) string {
	if unit == "bytes" {
		return libra.FormatBytes(int64(n))
	}
	return strconv.FormatFloat(n, 'f', 0, 64)
}

// percentileNames names score.Term.Percentiles.
func percentileNames() [5]string { return [5]string{"p10", "p25", "p50", "p75", "p90"} }

// showDecimal writes a number with so many digits after the point.
func showDecimal(digits int, n float64) string { return strconv.FormatFloat(n, 'f', digits, 64) }

// band is the class of a score of 0 to 100, in Lighthouse's bands. An upper bound
// has the class of an open end, unless it is in the lowest.
func band(score int, atMost bool) string {
	switch {
	case atMost && score >= 50:
		return "open"
	case score >= 90:
		return "complete"
	case score >= 50:
		return "partial"
	}
	return "error"
}

// linked reports whether an address may be a link.
func linked(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}
