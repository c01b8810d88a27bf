package notifier

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"libra/pkg/libra"
)

// Slack's limits, in characters.
// https://docs.slack.dev/reference/block-kit/blocks
const (
	headerLimit  = 150
	sectionLimit = 3000
	lineLimit    = 300 // ours, of a line of a digest
	textLimit    = 300 // ours: a push preview shows less
)

// slackMessage is a message in Slack's form: header, and below a colour bar the
// rest.
func (l content) slackMessage() *slack.WebhookMessage {
	text := escape(l.text, textLimit)
	no := false
	return &slack.WebhookMessage{
		Text:        text,
		Blocks:      &slack.Blocks{BlockSet: []slack.Block{slack.NewHeaderBlock(plain(l.header, headerLimit))}},
		Attachments: []slack.Attachment{{Color: colour(l.worst), Fallback: text, Blocks: slack.Blocks{BlockSet: l.blocks()}}},
		UnfurlLinks: &no, UnfurlMedia: &no,
	}
}

// slackText is the content without blocks, for when Slack refuses them.
func (l content) slackText() string {
	text := []string{escape(l.text, textLimit)}
	var facts []string
	for _, p := range l.meaning.paragraphs() {
		facts = append(facts, p.label+": "+p.text)
	}
	for _, part := range slices.Concat(l.body, facts, l.remarks, []string{l.context}) {
		if part != "" {
			text = append(text, escape(part, lineLimit))
		}
	}
	return strings.Join(text, "\n")
}

func (l content) blocks() []slack.Block {
	blocks := sections(l.body)
	if l.when != nil {
		blocks = append(blocks, markdown(l.whenMarkdown()))
	}
	var facts []string
	for _, p := range l.meaning.paragraphs() {
		facts = append(facts, fmt.Sprintf("*%s:* %s", p.label, escape(p.text, sectionLimit/3)))
	}
	if len(facts) > 0 {
		blocks = append(blocks, markdown(strings.Join(facts, "\n")))
	}
	if len(l.remarks) > 0 {
		var notes []slack.MixedElement
		for _, r := range l.remarks {
			notes = append(notes, plain(r, sectionLimit))
		}
		blocks = append(blocks, slack.NewContextBlock("", notes...))
	}
	if len(l.links) > 0 {
		var buttons []slack.BlockElement
		for _, k := range l.links {
			buttons = append(buttons, slack.NewButtonBlockElement(k.id, "", plain(k.label, 75)).WithURL(k.url))
		}
		blocks = append(blocks, slack.NewActionBlock("", buttons...))
	}
	return append(blocks, slack.NewContextBlock("", plain(l.context, sectionLimit)))
}

func markdown(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, nil)
}

func (l content) whenMarkdown() string {
	s := *l.when
	if s.until.IsZero() {
		return "*Since* " + local(s.since)
	}
	return fmt.Sprintf("*%s for* %s, %s to %s", l.meaning.lasted, lasting(s.lasted), local(s.since), local(s.until))
}

// section is a paragraph. The times in it are those of the reader's zone.
func section(text string) slack.Block {
	if !times.MatchString(text) {
		return slack.NewSectionBlock(plain(text, sectionLimit), nil, nil)
	}
	const most, length = 10, 100 // times, and characters that stand for each
	n := 0
	return markdown(times.ReplaceAllStringFunc(escape(text, sectionLimit-most*length), func(found string) string {
		at, err := libra.ParseTime(found)
		if err != nil || n == most {
			return found
		}
		n++
		return local(at)
	}))
}

// times are those that libra.FormatTime has written.
var times = regexp.MustCompile(`\b\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d:\d\d UTC\b`)

// sections hold the paragraphs: one has a section of its own, lines share
// them, as many in each as Slack allows.
func sections(body []string) []slack.Block {
	if len(body) == 1 {
		return []slack.Block{section(body[0])}
	}
	var blocks []slack.Block
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			blocks = append(blocks, slack.NewSectionBlock(slack.NewTextBlockObject(slack.PlainTextType, text.String(), false, false), nil, nil))
			text.Reset()
		}
	}
	for _, line := range body {
		line = escape(line, lineLimit)
		if text.Len()+1+len(line) > sectionLimit {
			flush()
		}
		if text.Len() > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(line)
	}
	flush()
	return blocks
}

// plain is text in which Slack looks for nothing: no mention, no link, no
// emoji. Slack refuses an empty one.
func plain(s string, limit int) *slack.TextBlockObject {
	if s = escape(s, limit); s == "" {
		s = "-"
	}
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// colour of the bar beside the message.
func colour(a libra.Alarm) string {
	if a.State == libra.Cleared {
		return "#2eb886"
	}
	switch a.Severity {
	case libra.Critical:
		return "#a30200"
	case libra.Major:
		return "#d9480f"
	case libra.Minor, libra.Warning:
		return "#daa038"
	}
	return "#439fe0"
}
