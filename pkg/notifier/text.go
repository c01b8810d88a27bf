package notifier

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"libra/pkg/libra"
)

// escape makes s safe inside a Slack text: a page's title cannot ping a
// channel, nor break a line. At most limit characters come out.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func escape(s string, limit int) string {
	return clean(s, limit, func(r rune) string {
		switch r {
		case '&':
			return "&amp;"
		case '<':
			return "&lt;"
		case '>':
			return "&gt;"
		}
		return string(r)
	})
}

// flat makes s one line of plain text, of at most limit characters.
func flat(s string, limit int) string {
	return clean(s, limit, func(r rune) string { return string(r) })
}

func clean(s string, limit int, write func(rune) string) string {
	var b strings.Builder
	length := 0
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == unicode.ReplacementChar:
			continue
		}
		out := write(r)
		length += utf8.RuneCountInString(out)
		if length >= limit {
			b.WriteString("…")
			break
		}
		b.WriteString(out)
	}
	return b.String()
}

// lasting is a duration, 0 for one that a clock set back makes negative.
func lasting(d time.Duration) string { return libra.FormatDuration(max(d, 0)) }

// local is a time that Slack shows in the reader's own zone.
func local(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time_secs}|%s>", t.Unix(), libra.FormatTime(t))
}

// word is the severity, or "cleared".
func word(a libra.Alarm) string {
	if a.State == libra.Cleared {
		return "cleared"
	}
	return string(a.Severity)
}

// lower is s with its first character in lower case.
func lower(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
