// Package rules reads alarms.toml: where notifications are sent (channels), which
// alarms go where (routes), and from which measure on something is an alarm
// (thresholds). It is one file for libra-notifier and libra-watchdog, checked as a
// whole: every fault is named at once, with its line and what is allowed there.
//
// A bad edit changes nothing. Load goes on with the last file that was good, of
// which each reader keeps a copy of its own, and returns the faults of the new
// one.
package rules

import (
	"time"

	"libra/pkg/libra"
)

// File is the content of alarms.toml. What it leaves out has its default.
type File struct {
	Channels   []Channel
	Routes     []Route
	Notify     Notify
	Thresholds Thresholds
}

// Type of a channel.
type Type string

// The types of channels.
const (
	Slack    Type = "slack"     // incoming webhook; Credential holds its URL
	SlackBot Type = "slack-bot" // bot token, in Credential; To names the channel
	Webhook  Type = "webhook"   // POST of JSON to URL, signed with Credential
	Email    Type = "email"     // over SMTP
	Shoutrrr Type = "shoutrrr"  // everything else; Credential holds shoutrrr's URL
)

// Types lists what channels there can be.
func Types() []Type { return []Type{Slack, SlackBot, Webhook, Email, Shoutrrr} }

// Journal is what libra-notifier calls its own log where the file has no
// channel: the name of no other.
const Journal = "journal"

// Channel is a way to notify people. Credentials are names of files in
// /etc/libra/credentials: alarms.toml contains no secret.
type Channel struct {
	Name       string // [a-z0-9-]+
	Type       Type
	Credential string
	// URL of a webhook; where it is secret, URLCredential names the file that
	// holds it. For a bot, where Slack's API is, "" for the usual place.
	URL, URLCredential string
	// To whom: mail addresses; one Slack channel (id or #name) for a bot.
	To []string
	// Server is host:port of the mail server.
	Server   string
	Security Security
	From     string // mail address
	User     string // as whom to log in, with Credential as password
	// Line of the file where the channel begins.
	Line int
}

// Security of the connection to a mail server.
type Security string

// Plain connections are for servers on this host.
const (
	StartTLS Security = "starttls"
	TLS      Security = "tls"
	None     Security = "none"
)

// Route names the channels of the alarms that it fits. The first route that fits
// decides; an alarm that none fits goes to every channel.
type Route struct {
	Scope    libra.Scope    // "": any
	Severity libra.Severity // this one and worse; "": any
	Alarm    string         // id; * matches anything; "": any
	Target   string         // * matches anything; "": any
	Channels []string       // names; none: no channel is notified
	Line     int
}

// Fits reports whether the route is for a.
func (r Route) Fits(a libra.Alarm) bool {
	m := libra.Match{Scope: r.Scope, Alarm: r.Alarm, Target: r.Target}
	return (m == libra.Match{} || m.Fits(a)) && (r.Severity == "" || a.Severity.Rank() >= r.Severity.Rank())
}

// RoutesTo reports whether a route leads a to channel: the first route that fits a
// decides, and an alarm that none fits goes to every channel.
func (f File) RoutesTo(channel string, a libra.Alarm) bool {
	for _, r := range f.Routes {
		if r.Fits(a) {
			for _, name := range r.Channels {
				if name == channel {
					return true
				}
			}
			return false
		}
	}
	return true
}

// Notify is when and how notifications are sent.
type Notify struct {
	// Remind is how long an alarm stays open without a notification; 0: no reminders.
	Remind map[libra.Severity]time.Duration
	// Late is the age from which a notification has its age.
	Late time.Duration
	// Digest is how many waiting messages become one.
	Digest int
	// Group is for how long after the first alarm of a group the others wait,
	// to be sent as one.
	Group time.Duration
	// Settle is how long after its cause has cleared an alarm is still
	// inhibited.
	Settle time.Duration
	// Undelivered is how long a channel may fail before that is an alarm.
	Undelivered time.Duration
}

// Defaults is what holds without a file.
func Defaults() File {
	return File{
		Notify: Notify{
			Remind: map[libra.Severity]time.Duration{
				libra.Critical: time.Hour, libra.Major: 4 * time.Hour, libra.Minor: 24 * time.Hour, libra.Warning: 0, libra.Info: 0,
			},
			Late: time.Minute, Digest: 6, Group: 10 * time.Second, Settle: 5 * time.Second, Undelivered: 2 * time.Minute,
		},
		Thresholds: Thresholds{
			Component: Streak{1, 3}, Host: Streak{1, 3}, Page: Streak{3, 3},
			Flap:      Flap{3, 10 * time.Minute, 60},
			Heartbeat: 2 * time.Second, Restarts: 5, RestartsWithin: 10 * time.Minute, Behind: 5 * time.Second,
			Disk:        Percent{80, 90, 95},
			Memory:      Percent{10, 25, 50},
			Queue:       Waits{Minor: 5 * time.Minute, Major: 15 * time.Minute},
			QueueLength: Counts{},
			QueueFull:   Percent{50, 75, 90},
			QueueFullIn: 15 * time.Minute,
			Certificate: Days{21, 7, 1},
			Missed:      3,
		},
	}
}
